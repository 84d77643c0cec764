/// How a buffer's elements lie: how many elements further on the next sample is, the next class or channel, the next
/// plane, row and column of voxels.
///
/// A buffer begins with the first voxel of its first sample. It must reach to the last element that its view leads to
/// and may be longer; what lies between is neither read nor written. No stride may be negative. One of 0 repeats an
/// element, where it is only read.
///
///     View.channelsLast(shape)                     // [samples][rows][columns][classes]
///     View.channelsLast(image)                     // with a smaller evaluator's shape: a crop of the image's corner,
///     logits.span.extracting(view.place(row: 20, column: 30)...)   // or of any other place
///     View.labels(image).every(2)                  // every second label of every second row
public struct View: Sendable, Hashable {
    /// Elements from one sample to the next.
    public var sample: Int
    /// Elements from one class or channel to the next; of no meaning for labels, masks and weights.
    public var channel: Int
    /// Elements from one plane of a volume to the next.
    public var plane: Int
    /// Elements from one row to the next.
    public var row: Int
    /// Elements from one voxel of a row to the next.
    public var column: Int

    /// A view with these strides.
    public init(sample: Int, channel: Int, plane: Int = 0, row: Int, column: Int) {
        self.sample = sample
        self.channel = channel
        self.plane = plane
        self.row = row
        self.column = column
    }

    /// As the shape has it: `[samples][classes][extents...]`, or `[samples][extents...]`, and nothing else in the
    /// buffer.
    public static let contiguous = View(sample: 0, channel: 0, row: 0, column: 0)

    /// `[samples][classes][planes][rows][columns]` of a shape, which may be larger than what is read of it.
    public static func planar(_ shape: Shape) -> View {
        View(
            sample: shape.classes * shape.voxels, channel: shape.voxels, plane: shape.rows * shape.columns,
            row: shape.columns, column: 1)
    }

    /// `[samples][planes][rows][columns][classes]` of a shape, which may be larger than what is read of it.
    public static func channelsLast(_ shape: Shape) -> View {
        View(
            sample: shape.classes * shape.voxels, channel: 1, plane: shape.rows * shape.columns * shape.classes,
            row: shape.columns * shape.classes, column: shape.classes)
    }

    /// `[samples][planes][rows][columns]` of a shape, which may be larger than what is read of it: labels, masks and
    /// weights.
    public static func labels(_ shape: Shape) -> View {
        View(
            sample: shape.voxels, channel: 0, plane: shape.rows * shape.columns, row: shape.columns, column: 1)
    }

    /// Every n-th voxel in all directions.
    public func every(_ step: Int) -> View { every(planes: step, rows: step, columns: step) }

    /// Every so many planes, rows and columns.
    public func every(planes: Int = 1, rows: Int, columns: Int) -> View {
        var view = self
        view.plane *= planes
        view.row *= rows
        view.column *= columns
        return view
    }

    /// The place of an element in a buffer with this view: where a crop begins.
    public func place(sample: Int = 0, channel: Int = 0, plane: Int = 0, row: Int = 0, column: Int = 0) -> Int {
        sample * self.sample + channel * self.channel + plane * self.plane + row * self.row + column * self.column
    }
}

/// How all buffers of a call lie. Those that are left out are contiguous.
///
/// Of a part of a batch, a buffer with a view holds whole samples: its voxels are read where they lie in their sample,
/// and its first sample is the part's first. A contiguous buffer holds the part alone.
public struct Layout: Sendable, Hashable {
    /// Of logits, or probabilities.
    public var logits: View
    /// Of labels or dense targets.
    public var targets: View
    /// Of the mask.
    public var mask: View
    /// Of the voxel weights.
    public var weights: View
    /// Of the maps of a linear term.
    public var maps: View
    /// Of the gradient; its elements must lie apart.
    public var gradient: View

    /// A layout.
    public init(
        logits: View = .contiguous, targets: View = .contiguous, mask: View = .contiguous,
        weights: View = .contiguous, maps: View = .contiguous,
        gradient: View = .contiguous
    ) {
        self.logits = logits
        self.targets = targets
        self.mask = mask
        self.weights = weights
        self.maps = maps
        self.gradient = gradient
    }

    /// All buffers are as the shape has them.
    public static let contiguous = Layout()

    /// Logits and gradient have their classes last, everything else is contiguous.
    public static func channelsLast(_ shape: Shape) -> Layout {
        Layout(logits: .channelsLast(shape), gradient: .channelsLast(shape))
    }
}

extension Shape {
    /// Columns: the last extent.
    var columns: Int { extents.last ?? 1 }
    /// Rows: the extent before.
    var rows: Int { extents.count > 1 ? extents[extents.count - 2] : 1 }
    /// Planes: the product of the others.
    var planes: Int { extents.dropLast(2).reduce(1, *) }
}
