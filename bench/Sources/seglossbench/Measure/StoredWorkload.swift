import SegLoss

extension Evaluator {
    /// The value of a batch whose logits lie as `storage` says.
    mutating func value(of batch: Batch, _ storage: Storage) throws -> Double {
        switch (storage.type, storage.isChannelsLast) {
        case (.float, false): try value(of: batch)
        case (.float, true): try value(of: batch, Float.self, storage)
        case (.half, _): try value(of: batch, Float16.self, storage)
        case (.bfloat, _): try value(of: batch, BFloat16.self, storage)
        }
    }

    /// The same with the gradient, which lies like the logits, in the memory of a planar one.
    mutating func value(of batch: Batch, gradient: Buffer<Float>, _ storage: Storage) throws -> Double {
        switch (storage.type, storage.isChannelsLast) {
        case (.float, false): try value(of: batch, gradient: gradient)
        case (.float, true): try value(of: batch, Float.self, gradient, storage)
        case (.half, _): try value(of: batch, Float16.self, gradient, storage)
        case (.bfloat, _): try value(of: batch, BFloat16.self, gradient, storage)
        }
    }

    @inline(never)
    private mutating func value<Z: StoredLogit>(of batch: Batch, _ type: Z.Type, _ storage: Storage) throws -> Double {
        try evaluate(
            logits: batch.stored.buffer(type, storage).values.span, labels: batch.labels.values.span,
            layout: storage.layout(batch.shape)
        ).value
    }

    // Not inlined: Swift 6.3.1's optimiser stops with an ownership error where a mutable span is made beside a loop.
    @inline(never)
    private mutating func value<Z: StoredLogit>(
        of batch: Batch, _ type: Z.Type, _ gradient: Buffer<Float>, _ storage: Storage
    ) throws -> Double {
        var span = gradient.elements(of: type, count: gradient.count).mutableSpan
        return try evaluate(
            logits: batch.stored.buffer(type, storage).values.span, labels: batch.labels.values.span,
            layout: storage.layout(batch.shape), gradient: &span, write: .overwrite(scale: storage.scale)
        ).value
    }
}
