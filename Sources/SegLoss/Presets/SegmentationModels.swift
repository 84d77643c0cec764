extension Loss {
    /// The losses of segmentation_models.pytorch, as of 0.6.
    public static var smp: SegmentationModels { SegmentationModels() }

    /// The losses of segmentation_models.pytorch: `let loss: Loss = .smp.dice(logLoss: true)`.
    ///
    /// `mode` is the ``Activation``: `"binary"` and `"multilabel"` are ``Activation/sigmoid``, `"multiclass"` is
    /// ``Activation/softmax``, and `from_logits=False` is ``Activation/probabilities``. Region losses sum over the
    /// batch, meet soft targets in the L1 form, and count a class that the target lacks as 0.
    public struct SegmentationModels: Sendable {
        /// `DiceLoss`: `1 - (I + s) / max((P + G) / 2 + s, eps)` of each class, or minus its logarithm.
        ///
        /// - Parameters:
        ///   - classes: Which classes take part; `nil`: all.
        ///   - logLoss: `-log max(D, eps)` in place of `1 - D`.
        ///   - smooth: `s`, which is half of what Dice is usually smoothed with.
        ///   - eps: Where the denominator is held, and the score under a logarithm.
        ///   - classWeights: One for each class; the mean is divided by them.
        public func dice(
            classes: [Int]? = nil, logLoss: Bool = false, smooth: Double = 0, eps: Double = 1e-7,
            classWeights: [Float]? = nil
        ) -> Loss {
            region(.dice, classes, logLoss, .both(2 * smooth), eps, 2 * eps, classWeights)
        }

        /// `JaccardLoss`: `1 - (I + s) / max(P + G - I + s, eps)` of each class, or minus its logarithm.
        ///
        /// - Parameters:
        ///   - classes: Which classes take part; `nil`: all.
        ///   - logLoss: `-log max(J, eps)` in place of `1 - J`.
        ///   - smooth: `s`
        ///   - eps: Where the denominator is held, and the score under a logarithm.
        ///   - classWeights: One for each class; the mean is divided by them.
        public func jaccard(
            classes: [Int]? = nil, logLoss: Bool = false, smooth: Double = 0, eps: Double = 1e-7,
            classWeights: [Float]? = nil
        ) -> Loss {
            region(.jaccard, classes, logLoss, .both(smooth), eps, eps, classWeights)
        }

        /// `TverskyLoss`: `(mean of 1 - (I + s) / max(I + alpha (P - I) + beta (G - I) + s, eps))^gamma`.
        ///
        /// The mean of the classes is raised; focal Tversky as published raises each class.
        ///
        /// - Parameters:
        ///   - classes: Which classes take part; `nil`: all.
        ///   - logLoss: `-log max(T, eps)` in place of `1 - T`.
        ///   - smooth: `s`
        ///   - eps: Where the denominator is held, and the score under a logarithm.
        ///   - alpha: The weight of false positives.
        ///   - beta: The weight of false negatives.
        ///   - gamma: The power, above 0; of 0 the original is 1, whatever the input.
        ///   - classWeights: One for each class; the mean is divided by them.
        public func tversky(
            classes: [Int]? = nil, logLoss: Bool = false, smooth: Double = 0, eps: Double = 1e-7, alpha: Double = 0.5,
            beta: Double = 0.5, gamma: Double = 1, classWeights: [Float]? = nil
        ) -> Loss {
            let loss = region(
                .tversky(falsePositives: alpha, falseNegatives: beta), classes, logLoss, .both(smooth), eps, eps,
                classWeights, exponent: .mean(gamma))
            return gamma > 0
                ? loss : loss.demanding("smp.tversky", .impossible("gamma is \(gamma); expected above 0"))
        }

        /// What the channels of a ``lovasz(mode:perImage:)`` are.
        public enum Mode: Sendable, Hashable, CaseIterable {
            /// One channel, for ``Activation/sigmoid``.
            case binary
            /// Classes, for ``Activation/softmax``.
            case multiclass
            /// Channels that do not exclude each other, for ``Activation/sigmoid``.
            case multilabel
        }

        /// `LovaszLoss`: the Lovász softmax of `multiclass`, over the classes with foreground, otherwise the Lovász
        /// hinge. The channels of `multilabel` are one problem.
        ///
        /// - Parameters:
        ///   - mode: What the channels are.
        ///   - perImage: The loss of each image, then their mean.
        public func lovasz(mode: Mode, perImage: Bool = false) -> Loss {
            switch mode {
            case .binary:
                Loss.lovaszHinge(scope: perImage ? .sample : .batch)
                    .demanding("smp.lovasz", .classes(1, given: "the mode binary, which is of one"))
            case .multiclass: Loss.lovaszSoftmax(scope: perImage ? .sample : .batch).ofClasses("smp.lovasz")
            case .multilabel: .lovaszHinge(scope: perImage ? .samplePooled : .batchPooled)
            }
        }

        private func region(
            _ formula: Region.Formula, _ classes: [Int]?, _ logLoss: Bool, _ smooth: Smooth, _ eps: Double,
            _ leastDenominator: Double, _ weights: [Float]?, exponent: Region.Exponent = .none
        ) -> Loss {
            .region(
                Region(
                    formula, smooth: smooth, intersection: .minimum, scope: .batch,
                    classes: classes.map { .only($0) } ?? .all, classWeights: weights.map { .normalized($0) },
                    value: logLoss ? .minusLogScore(least: eps) : .oneMinusScore, exponent: exponent, absent: .zero,
                    leastDenominator: leastDenominator))
        }

        /// `FocalLoss`: the focal loss of each channel's sigmoid, which it is even in `"multiclass"` mode; the mean (or
        /// sum) of each channel's valid values, then the mean of the channels. For every ``Activation``.
        ///
        /// The original's multiclass mode with `from_logits=False` takes logarithms of probabilities for logits; plan
        /// with ``Activation/probabilities`` for the focal loss of the probabilities themselves. Its other modes hold
        /// these within `eps`, 1e-7, of 0 and 1, where they have no gradient; here saturated ones keep their loss and
        /// gradient. Of targets between 0 and 1 the original's focal factor is `(1 - exp(-BCE))^gamma`; here it is that
        /// of the probability of the target, the same for targets of 0 and 1.
        ///
        /// - Parameters:
        ///   - alpha: The weight of the positives, negatives having the rest of 1; `nil`: none.
        ///   - gamma: How strongly easy values are counted less.
        ///   - normalized: The sum is divided by that of the focal factors rather than the number of values, with a
        ///     gradient of its own; not for ``Activation/softmax``: `"multiclass"` plans with ``Activation/sigmoid``,
        ///     and its labels are the same.
        ///   - reducedThreshold: The probability of the target below which the focal factor is 1.
        ///   - classWeights: One for each class; the mean is divided by them.
        ///   - reduction: Mean or sum. Normalized, it is the sum either way: the original's mean divides that by the
        ///     number of values once more.
        ///   - classes: How many channels `"multiclass"` and `"multilabel"` have. They average the channels, which
        ///     matters to a sum and to `normalized`; that is a term for each channel then, and 8 channels at most.
        ///     `nil`: `"binary"`, of one channel, or a mean.
        public func focal(
            alpha: Double? = nil, gamma: Double = 2, normalized: Bool = false, reducedThreshold: Double? = nil,
            classWeights: [Float]? = nil, reduction: Reduction = .mean, classes: Int? = nil
        ) -> Loss {
            let loss = focal(alpha, gamma, normalized, reducedThreshold, classWeights, reduction, classes)
            let isMean = reduction == .mean && !normalized
            let channels = classes.map { Demand.Expected.classes($0, given: counted($0, "class", "classes")) }
            let one = Demand.Expected.classes(1, given: "a sum or normalized, and no classes, which is the mode binary")
            return loss.demanding(
                "smp.focal",
                [channels ?? (isMean ? nil : one), normalized ? .activation([.sigmoid, .probabilities]) : nil]
                    .compactMap { $0 })
        }

        private func focal(
            _ alpha: Double?, _ gamma: Double, _ normalized: Bool, _ reducedThreshold: Double?,
            _ classWeights: [Float]?, _ reduction: Reduction, _ classes: Int?
        ) -> Loss {
            func term(_ weights: [Float]?, _ divisor: Divisor) -> Loss {
                .focal(
                    gamma: gamma, alpha: alpha, classWeights: weights, reducedThreshold: reducedThreshold ?? 0,
                    perChannel: true, divisor: divisor)
            }
            // What the mean of the classes divides by; of weights that are refused in planning whatever they are.
            let total = classWeights.map { $0.reduce(0) { $0 + Double($1) } } ?? Double(classes ?? 1)
            guard normalized else {
                return term(classWeights, reduction == .mean ? .weight : .constant(classes == nil ? 1 : total))
            }
            guard let classes else { return term(classWeights, .factors()) }
            // A ninth term is one too many, and no class makes no term: planning refuses both.
            let each = (0..<min(max(classes, 0), 9)).flatMap { c -> [Loss.WeightedTerm] in
                let weight = classWeights.map { $0.count == classes ? Double($0[c]) : .nan } ?? 1
                let only = (0..<classes).prefix(9).map { Float($0 == c ? 1 : 0) }
                return (weight / total * term(only, .factors())).terms
            }
            return Loss(terms: each)
        }

        /// `MCCLoss`: one minus Matthews' correlation of the whole batch, for ``Activation/probabilities`` of one
        /// channel.
        ///
        /// - Parameter eps: What is added to each of the four counts.
        public func mcc(eps: Double = 1e-5) -> Loss {
            .matthews(smoothCounts: eps, scope: .batchPooled)
        }

        /// `SoftBCEWithLogitsLoss`: binary cross entropy with targets `g (1-s) + (1-g) s`, for ``Activation/sigmoid``.
        /// Ignored values are 0 and count in the mean, as in the original.
        ///
        /// - Parameters:
        ///   - smoothFactor: `s`
        ///   - posWeight: One weight of the positives for each channel.
        ///   - reduction: Mean or sum.
        public func softBCE(
            smoothFactor: Double = 0, posWeight: [Float]? = nil, reduction: Reduction = .mean
        ) -> Loss {
            .binaryCrossEntropy(
                positiveWeights: posWeight, labelSmoothing: smoothFactor, divisor: reduction.divisor(mean: .all))
        }

        /// `SoftCrossEntropyLoss`: cross entropy with label smoothing, for ``Activation/softmax``. Ignored voxels are 0
        /// and count in the mean, as in the original, whose default `smooth_factor=None` is an error.
        ///
        /// - Parameters:
        ///   - smoothFactor: How much of the target is spread evenly over the classes.
        ///   - reduction: Mean or sum.
        public func softCrossEntropy(smoothFactor: Double = 0, reduction: Reduction = .mean) -> Loss {
            .crossEntropy(labelSmoothing: smoothFactor, divisor: reduction.divisor(mean: .all))
        }
    }
}
