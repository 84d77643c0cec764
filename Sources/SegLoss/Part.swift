/// A part of a batch: some of its samples, and of each of those some voxels.
///
/// The buffers of a part are contiguous and hold the part alone: logits are `[samples][classes][voxels]` with the
/// part's own counts. Parts may be cut between samples anywhere. Within samples they are cut at multiples of 64 voxels:
/// `voxels` must begin at one, and end at one or at the end of the sample. Terms that select and Lovász terms need
/// whole samples, a Lovász term over the batch the whole batch.
public struct Part: Sendable, Hashable {
    /// Which samples of the batch; `nil`: all.
    public var samples: Range<Int>?
    /// Which voxels of each sample; `nil`: all.
    public var voxels: Range<Int>?

    /// The part with these samples and voxels, of which neither may be empty.
    public init(samples: Range<Int>? = nil, voxels: Range<Int>? = nil) {
        self.samples = samples
        self.voxels = voxels
    }

    /// The whole batch.
    public static let whole = Part()
}
