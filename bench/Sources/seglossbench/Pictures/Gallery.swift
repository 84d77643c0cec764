import SegLoss

/// The pictures of the documentation, a page's first.
enum Gallery {
    static func all() throws -> [LossPicture] {
        [
            try crossEntropy(), try binaryCrossEntropy(), try focal(), try region(), try regionValue(), try error(),
            try binarization(), try selection(),
        ]
    }

    private static let ofLogit = "derivative by the logit"

    private static func crossEntropy() throws -> LossPicture {
        LossPicture(
            name: "cross-entropy", title: "Cross entropy", note: "One voxel, a softmax of two classes.",
            xTitle: "probability of the label", x: 0...1,
            panels: [.init(title: "loss", y: 0...5), .init(title: "derivative by the label's logit", y: -1.2...0.2)],
            curves: [
                ("plain", try OneVoxel.softmax(.crossEntropy())),
                ("label smoothing 0.1", try OneVoxel.softmax(.crossEntropy(labelSmoothing: 0.1))),
                ("exponent 0.3", try OneVoxel.softmax(.crossEntropy(exponent: 0.3))),
            ])
    }

    private static func binaryCrossEntropy() throws -> LossPicture {
        LossPicture(
            name: "binary-cross-entropy", title: "Binary cross entropy", note: "One voxel, one channel with a sigmoid.",
            xTitle: "p", x: 0...1,
            panels: [.init(title: "loss", y: 0...5), .init(title: ofLogit, y: -3...1.2)],
            curves: [
                ("target 1", try OneVoxel.sigmoid(.binaryCrossEntropy(), target: 1)),
                ("target 0", try OneVoxel.sigmoid(.binaryCrossEntropy(), target: 0)),
                ("target 0.7", try OneVoxel.sigmoid(.binaryCrossEntropy(), target: 0.7)),
                (
                    "target 1, positive weight 3",
                    try OneVoxel.sigmoid(.binaryCrossEntropy(positiveWeights: [3]), target: 1)
                ),
                (
                    "target 1, label smoothing 0.1",
                    try OneVoxel.sigmoid(.binaryCrossEntropy(labelSmoothing: 0.1), target: 1)
                ),
            ])
    }

    private static func focal() throws -> LossPicture {
        LossPicture(
            name: "focal", title: "Focal loss", note: "One voxel of target 1, one channel with a sigmoid.",
            xTitle: "p", x: 0...1,
            panels: [.init(title: "loss", y: 0...5), .init(title: ofLogit, y: -1.5...0.1)],
            curves: try [0, 0.5, 1, 2, 5].map { gamma in
                ("gamma \(Format.round(gamma))", try OneVoxel.sigmoid(.focal(gamma: gamma, alpha: nil), target: 1))
            } + [("gamma 2, alpha 0.25", try OneVoxel.sigmoid(.focal(gamma: 2, alpha: 0.25), target: 1))])
    }

    private static func region() throws -> LossPicture {
        let object = GrowingRegion.object
        let predicted = (1...2 * object).filter { $0 % 2 == 1 || $0 % object == 0 }
        func samples(_ loss: Loss) throws -> [Sample] { try GrowingRegion.samples(loss, predicted: predicted) }
        /// A power below 1 has no derivative where the loss is 0; the library's gradient is 0 there, by convention.
        func withoutSlopesAtZero(_ samples: [Sample]) -> [Sample] {
            samples.map { $0.loss > 0 ? $0 : Sample(x: $0.x, loss: 0, slopes: $0.slopes.map { _ in .nan }) }
        }
        return LossPicture(
            name: "region", title: "Region terms",
            note: "A prediction of 0 and 1 grows through an object, complete at 1, and out of it. The object is 1/8 of "
                + "the image; derivatives are times its size.",
            xTitle: "size of the prediction / of the object", x: 0...2,
            panels: [
                .init(title: "loss", y: 0...1), .init(title: "derivative by p in the object", y: -2.5...0),
                .init(title: "derivative by p just outside", y: 0...1.25),
            ],
            curves: [
                ("Dice", try samples(.dice(classes: .foreground))),
                ("Jaccard", try samples(.jaccard(classes: .foreground))),
                ("Tversky 0.3, 0.7", try samples(.tversky(classes: .foreground))),
                ("focal Tversky, 3/4", withoutSlopesAtZero(try samples(.focalTversky(classes: .foreground)))),
                ("generalized Dice of both classes", try samples(.generalizedDice())),
                ("Matthews", try samples(.matthews(classes: .foreground))),
                (
                    "leaky Dice 1/6, 5/6",
                    try samples(.leakyDice(falsePositives: 1.0 / 6, falseNegatives: 5.0 / 6, classes: .foreground))
                ),
            ])
    }

    /// What is made of a score; the derivative by the score is that by p of a voxel, over the score's own by p.
    private static func regionValue() throws -> LossPicture {
        // Neither the empty prediction, whose log is infinite, nor the perfect one, whose powers have no derivative.
        let predicted = 1..<GrowingRegion.object
        func region(_ value: Region.Value, _ exponent: Region.Exponent = .none) throws -> [Sample] {
            let loss = Loss.region(
                Region(.dice, smooth: .none, classes: .foreground, value: value, exponent: exponent))
            return try GrowingRegion.samples(loss, predicted: predicted)
        }
        let plain = try region(.oneMinusScore)
        func overScore(_ samples: [Sample]) -> [Sample] {
            zip(samples, plain).map { of, plain in
                Sample(x: 1 - plain.loss, loss: of.loss, slopes: [of.slopes[0] / -plain.slopes[0]])
            }
        }
        return LossPicture(
            name: "region-value", title: "What a region term makes of its score",
            note: "Any formula's score D; here the Dice of a prediction within an object.",
            xTitle: "score D", x: 0...1,
            panels: [.init(title: "loss", y: 0...3), .init(title: "derivative by D", y: -5...0)],
            curves: [
                ("1 - D", overScore(plain)),
                ("-log D", overScore(try region(.minusLogScore(least: 1e-7)))),
                ("log cosh (1 - D)", overScore(try region(.logCosh))),
                ("(1 - D)^(3/4)", overScore(try region(.oneMinusScore, .classes(0.75)))),
                ("(-log D)^0.3", overScore(try region(.minusLogScore(least: 1e-7), .classes(0.3)))),
            ])
    }

    private static func error() throws -> LossPicture {
        func samples(_ loss: Loss) throws -> [Sample] { try OneVoxel.probability(loss, target: 0.3) }
        return LossPicture(
            name: "error", title: "Errors of the probability", note: "One voxel of target 0.3.", xTitle: "p", x: 0...1,
            panels: [.init(title: "loss", y: 0...0.75), .init(title: "derivative by p", y: -1.25...1.5)],
            curves: [
                ("absolute error", try samples(.absoluteError())),
                ("smooth L1, beta 0.25", try samples(.smoothL1(beta: 0.25))),
                ("smooth L1, beta 1", try samples(.smoothL1(beta: 1))),
                ("squared error", try samples(.squaredError())),
            ])
    }

    private static func selection() throws -> LossPicture {
        LossPicture(
            name: "selection", title: "Terms that select",
            note: "One voxel of ten, softmax of two classes; the labels of the others have 0.05, 0.15, ... 0.85.",
            xTitle: "probability of the voxel's label", x: 0...1,
            panels: [.init(title: "loss", y: 0...4), .init(title: "derivative by its label's logit", y: -0.6...0.1)],
            curves: [
                ("cross entropy of all", try Crowd.samples(.crossEntropy())),
                ("top-k, 20 %", try Crowd.samples(.topK(percent: 20))),
                ("top-k, 50 %", try Crowd.samples(.topK(percent: 50))),
                (
                    "hard examples, threshold 0.7",
                    try Crowd.samples(.onlineHardExampleMining(threshold: 0.7, minimumKept: 1))
                ),
                (
                    "hard examples, the 3 hardest",
                    try Crowd.samples(.onlineHardExampleMining(threshold: 0, minimumKept: 3))
                ),
            ])
    }

    private static func binarization() throws -> LossPicture {
        let x = (-100...100).map { Double($0) / 500 }
        func samples(_ steepness: Double, isText: Bool) throws -> [Sample] {
            let map = try OneVoxel.sigmoidCurve(x, steepness: steepness)
            return zip(map, try Binarization.dice(x, steepness: steepness, isText: isText)).map { map, dice in
                Sample(x: map.x, loss: map.loss, slopes: [dice.loss, dice.slopes[0]])
            }
        }
        return LossPicture(
            name: "dbnet", title: "Differentiable binarization",
            note: "One pixel of eight; the others, three of them text, are right. Dice is the binary map's loss.",
            xTitle: "P - T", x: -0.2...0.2,
            panels: [
                .init(title: "B = 1 / (1 + exp(-k (P - T)))", y: 0...1), .init(title: "Dice loss", y: 0...0.2),
                .init(title: "its derivative by P", y: -2.5...2.5),
            ],
            curves: [
                ("text, k 50", try samples(50, isText: true)), ("not text, k 50", try samples(50, isText: false)),
                ("text, k 10", try samples(10, isText: true)), ("not text, k 10", try samples(10, isText: false)),
            ])
    }
}
