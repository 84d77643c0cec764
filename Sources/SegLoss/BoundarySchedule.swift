/// How the weights of a region loss and of the boundary loss beside it change from epoch to epoch: what Kervadec et
/// al., "Boundary loss for highly unbalanced segmentation" (2019), and the code around it, call strategies.
///
///     let schedule = BoundarySchedule.rebalance()
///     let loss = schedule.loss(region: .generalizedDice(), boundary: .boundary(classes: .foreground), epoch: epoch)
///
/// A schedule is a value: each epoch's weights follow from its number, so that a run that was interrupted goes on as it
/// would have. An ``Evaluator`` of the new loss is made where the weights change.
public struct BoundarySchedule: Sendable, Hashable {
    /// The factors of both losses.
    public struct Weights: Sendable, Hashable {
        /// Of the region loss.
        public var region: Double
        /// Of the boundary loss.
        public var boundary: Double

        /// Both factors.
        public init(region: Double, boundary: Double) {
            self.region = region
            self.boundary = boundary
        }
    }

    /// In the first epoch.
    public var start: Weights
    /// What each epoch adds to the boundary loss's weight.
    public var gain: Double
    /// What each epoch takes from the region loss's weight.
    public var loss: Double
    /// What the region loss's weight stops at.
    public var leastRegion: Double
    /// What the boundary loss's weight stops at.
    public var mostBoundary: Double

    /// Any schedule of weights that change by the same amount in each epoch, up to a limit.
    public init(
        start: Weights, gain: Double = 0, loss: Double = 0, leastRegion: Double = 0, mostBoundary: Double = .infinity
    ) {
        self.start = start
        self.gain = gain
        self.loss = loss
        self.leastRegion = leastRegion
        self.mostBoundary = mostBoundary
    }

    /// `R + alpha B` in every epoch.
    public static func constant(alpha: Double = 0.01) -> BoundarySchedule {
        BoundarySchedule(start: Weights(region: 1, boundary: alpha))
    }

    /// `R + alpha B`, alpha larger by `step` in each epoch: LIVIAETS's `AddWeightLoss`.
    public static func increase(from alpha: Double = 0.01, by step: Double = 0.01) -> BoundarySchedule {
        BoundarySchedule(start: Weights(region: 1, boundary: alpha), gain: step)
    }

    /// `(1 - alpha) R + alpha B`, alpha larger by `step` in each epoch, up to `most`: the article's strategy of choice.
    /// From 0 to 0.99 the weights are those of its Keras code, which counts the other way.
    public static func rebalance(
        from alpha: Double = 0.01, by step: Double = 0.01, most: Double = 1
    ) -> BoundarySchedule {
        BoundarySchedule(
            start: Weights(region: 1 - alpha, boundary: alpha), gain: step, loss: step, leastRegion: 1 - most,
            mostBoundary: most)
    }

    /// LIVIAETS's `StealWeight`: the region loss's weight falls by `step` from 1, but not below 0.1, and the boundary
    /// loss's grows by it from 0.01, without a limit.
    public static func steal(step: Double = 0.01) -> BoundarySchedule {
        BoundarySchedule(
            start: Weights(region: 1, boundary: 0.01), gain: step, loss: step, leastRegion: 0.1)
    }

    /// The weights of an epoch, the first of which is 0; those before it have its weights.
    public func weights(epoch: Int) -> Weights {
        let n = Double(max(epoch, 0))
        return Weights(
            region: max(start.region - n * loss, min(leastRegion, start.region)),
            boundary: min(start.boundary + n * gain, max(mostBoundary, start.boundary)))
    }

    /// The sum of both losses with the weights of an epoch.
    public func loss(region: Loss, boundary: Loss, epoch: Int) -> Loss {
        let weights = weights(epoch: epoch)
        return weights.region * region + weights.boundary * boundary
    }
}
