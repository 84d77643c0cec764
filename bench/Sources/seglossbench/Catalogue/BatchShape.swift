import SegLoss

/// The shape of a batch of planar images: [samples][classes][height][width].
struct BatchShape: Hashable {
    var samples: Int
    var classes: Int
    var height: Int
    var width: Int

    init(_ samples: Int, _ classes: Int, _ height: Int, _ width: Int) {
        self.samples = samples
        self.classes = classes
        self.height = height
        self.width = width
    }

    /// Voxels of one sample.
    var plane: Int { height * width }
    /// Voxels of all samples: the number of labels.
    var voxels: Int { samples * plane }
    /// The number of logits.
    var values: Int { voxels * classes }
    /// Samples, classes, height, width.
    var extents: [Int] { [samples, classes, height, width] }
    var text: String { extents.map(String.init).joined(separator: "x") }

    var facade: Shape { .planar(samples: samples, classes: classes, height: height, width: width) }
}
