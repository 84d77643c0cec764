extension Loss {
    /// The losses of bermanmaxim/LovaszSoftmax, the PyTorch version of 2019.
    public static var berman: Berman { Berman() }

    /// The losses of bermanmaxim/LovaszSoftmax, the authors' own: `let loss: Loss = .berman.lovaszSoftmax()`.
    ///
    /// `ignore` is ``Options/ignoreIndex``.
    public struct Berman: Sendable {
        /// Which classes count.
        public enum Counted: Sendable, Hashable {
            /// Those with foreground, `"present"`.
            case present
            /// All, `"all"`.
            case all
            /// Those named, with foreground or not. One that is named twice counts once, in the original twice.
            case only([Int])
        }

        /// `lovasz_softmax`. The original takes probabilities; with ``Activation/softmax`` from logits.
        ///
        /// - Parameters:
        ///   - classes: Which classes count.
        ///   - perImage: The loss of each image, then their mean.
        public func lovaszSoftmax(classes: Counted = .present, perImage: Bool = false) -> Loss {
            Loss.lovaszSoftmax(
                scope: perImage ? .sample : .batch, classes: classes.taken, presentOnly: classes == .present
            ).ofClasses("berman.lovaszSoftmax")
        }

        /// `lovasz_hinge`, for ``Activation/sigmoid`` of one channel.
        ///
        /// - Parameter perImage: The loss of each image, then their mean.
        public func lovaszHinge(perImage: Bool = true) -> Loss {
            Loss.lovaszHinge(scope: perImage ? .sample : .batch).ofOneSigmoid("berman.lovaszHinge")
        }
    }
}

extension Loss.Berman.Counted {
    /// The classes that take part.
    var taken: Classes {
        if case .only(let classes) = self { .only(classes) } else { .all }
    }
}
