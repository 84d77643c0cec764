extension Loss {
    /// The losses of LIVIAETS/boundary-loss, the code of the boundary loss.
    public static var liviaets: LIVIAETS { LIVIAETS() }

    /// The losses of LIVIAETS/boundary-loss; `idc` are the classes that take part.
    ///
    ///     let loss: Loss = .liviaets.generalizedDice() + 0.01 * .liviaets.boundary(classes: 4, idc: [1, 2, 3])
    public struct LIVIAETS: Sendable {
        /// `SurfaceLoss` and `BoundaryLoss`: the mean of `p phi` over samples, chosen classes and voxels, phi the
        /// signed distance maps of a call. For every ``Activation``.
        ///
        /// From Kervadec et al., "Boundary loss for highly unbalanced segmentation" (2019).
        /// The original's own maps are whole numbers, by the type of its one-hot targets; here a map is what it is.
        ///
        /// - Parameters:
        ///   - classes: How many classes there are.
        ///   - idc: Which of them take part.
        public func boundary(classes: Int, idc: [Int]) -> Loss {
            .linear(classWeights: chosen(classes, idc))
        }

        /// `SurfaceLoss` and `BoundaryLoss` with the distance maps that the data loader makes of the labels
        /// (`one_hot2dist`), here made inside the call. For every ``Activation``.
        ///
        /// The original's maps are whole numbers, by the type of its one-hot targets, and those of a class that fills
        /// the image are measured to a voxel that there is not; here they are exact, and 0 there.
        ///
        /// - Parameters:
        ///   - idc: Which classes take part.
        ///   - resolution: The lengths between voxels; `nil`: 1.
        public func boundary(idc: [Int], resolution: [Double]? = nil) -> Loss {
            .boundary(classes: .only(idc), spacing: resolution)
        }

        /// `HausdorffLoss`: the mean of `(p - g)^2 (d_p^2 + d_g^2)` over samples, chosen classes and voxels, with
        /// distances inside the regions alone. The predicted region is where the class is the most probable.
        ///
        /// - Parameters:
        ///   - idc: Which classes take part.
        ///   - resolution: The lengths between voxels; `nil`: 1.
        public func hausdorff(idc: [Int], resolution: [Double]? = nil) -> Loss {
            .hausdorff(prediction: .largest, sides: .inside, classes: .only(idc), spacing: resolution)
        }

        /// `DiceLoss`: `1 - (2 I + 1e-10) / (P + G + 1e-10)` per sample and class.
        ///
        /// - Parameter idc: Which classes take part; `nil`: all.
        public func dice(idc: [Int]? = nil) -> Loss {
            .dice(smooth: .both(1e-10), classes: idc.map { .only($0) } ?? .all)
        }

        /// `GeneralizedDice`: `1 - (2 sum_c w_c I_c + 1e-10) / (sum_c w_c (P_c + G_c) + 1e-10)` of each sample,
        /// `w_c = 1 / G_c^2`.
        ///
        /// In the original a class that a sample lacks weighs 1e20, which leaves that sample no gradient, and the
        /// smoothing of the numerator is doubled. Here the class weighs what the heaviest other one does.
        ///
        /// - Parameter idc: Which classes take part; `nil`: all.
        public func generalizedDice(idc: [Int]? = nil) -> Loss {
            .generalizedDice(smooth: .both(1e-10), classes: idc.map { .only($0) } ?? .all)
        }

        /// `CrossEntropy`: `-sum g log(p + 1e-10) / sum g` over the chosen classes, for ``Activation/probabilities``.
        ///
        /// - Parameters:
        ///   - classes: How many classes there are.
        ///   - idc: Which of them take part; `nil`: all.
        public func crossEntropy(classes: Int, idc: [Int]? = nil) -> Loss {
            .binaryCrossEntropy(
                classWeights: chosen(classes, idc), positivesOnly: true, logOffset: 1e-10, divisor: .target)
        }

        /// `FocalLoss`: `-sum g (1-p)^gamma log(p + 1e-10) / sum g` over the chosen classes, for
        /// ``Activation/probabilities``.
        ///
        /// - Parameters:
        ///   - classes: How many classes there are.
        ///   - idc: Which of them take part; `nil`: all.
        ///   - gamma: How strongly easy voxels are counted less.
        public func focal(classes: Int, idc: [Int]? = nil, gamma: Double) -> Loss {
            .focal(
                gamma: gamma, alpha: nil, classWeights: chosen(classes, idc), positivesOnly: true, logOffset: 1e-10,
                divisor: .target)
        }

        /// Weights of 1 for the chosen classes and 0 for the others.
        private func chosen(_ classes: Int, _ idc: [Int]?) -> [Float]? {
            idc.map { idc in (0..<max(classes, 0)).map { idc.contains($0) ? 1 : 0 } }
        }
    }
}
