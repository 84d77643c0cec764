import Foundation

/// A kernel at one shape: one line of the catalogue, several rows of the report.
struct Entry {
    var kernel: Kernel
    var source: BatchSource
    /// A figure that the project promises to show; it is what peers are compared at.
    var isHeadline = false
    /// Timed with every instruction set that the machine has, not the best alone.
    var everyInstructionSet = false
    /// Passes to time. Where only the way of writing differs, forward alone would say nothing new.
    var passes = Pass.standard

    var shape: BatchShape { source.shape }
}

enum Catalogue {
    /// Everything, in the order of the report.
    static var full: [Entry] { street() + measured() + lesions() + text() + maps() }

    /// The headline figures and one medium size of everything.
    static var quick: [Entry] {
        full.filter { $0.isHeadline || $0.shape.voxels == 512 * 512 }.map { entry in
            var entry = entry
            entry.everyInstructionSet = false
            return entry
        }
    }

    // MARK: - Many classes: a street

    private static func street() -> [Entry] {
        let sides = [64, 512, 2048, 4096]
        let fourClasses = Kernel.softmax.flatMap { kernel in
            sides.map { side in
                Entry(
                    kernel: kernel, source: .seeded(.street, BatchShape(1, 4, side, side)),
                    isHeadline: side == 2048 && headlines.contains(kernel.name),
                    everyInstructionSet: [512, 2048].contains(side))
            }
        }
        let otherClasses = [2, 19].flatMap { classes in
            [512, 2048].flatMap { side in
                [Kernel.softmaxCrossEntropy, .softmaxDice, .softmaxDiceCrossEntropy].map { kernel in
                    Entry(kernel: kernel, source: .seeded(.street, BatchShape(1, classes, side, side)))
                }
            }
        }
        let manyClasses = manyClassShapes.flatMap { shape in
            [Kernel.softmaxCrossEntropy, .softmaxDice, .softmaxDiceCrossEntropy].map { kernel in
                Entry(kernel: kernel, source: .seeded(.street, shape))
            }
        }
        let more = Kernel.softmaxMore.flatMap { kernel in
            [512, 2048].map { side in Entry(kernel: kernel, source: .seeded(.street, BatchShape(1, 4, side, side))) }
        }
        let regions = Kernel.regions.flatMap { kernel in
            [512, 2048].map { side in
                Entry(kernel: kernel, source: .seeded(.street, BatchShape(1, 4, side, side)))
            }
        }
        let rankings = Kernel.rankings.flatMap { kernel in
            [512, 2048].map { side in Entry(kernel: kernel, source: .seeded(.street, BatchShape(1, 4, side, side))) }
        }
        let sortings = [Kernel.lovaszSoftmax, .softmaxLovaszCrossEntropy].flatMap { kernel in
            [BatchShape(1, 4, 64, 64), BatchShape(2, 4, 512, 512), BatchShape(1, 4, 2048, 2048)].map { shape in
                Entry(
                    kernel: kernel, source: .seeded(.street, shape),
                    isHeadline: shape.samples == 2 && kernel == .lovaszSoftmax)
            }
        }
        let maps = [512, 2048].map { side in
            Entry(
                kernel: .softmaxLossMap, source: .seeded(.street, BatchShape(1, 4, side, side)), passes: [.lossMap])
        }
        let errors = [512, 2048].map { side in
            Entry(kernel: .softmaxDiceBoundary, source: .seeded(.street, BatchShape(1, 4, side, side)))
        }
        let timed = fourClasses + otherClasses + manyClasses + more + errors + maps + regions + rankings + sortings
        return timed + stored() + [
            checkedBeforeWriting(.softmaxCrossEntropy, .seeded(.street, BatchShape(1, 4, 2048, 2048)))
        ]
    }

    /// A Cityscapes image, and a patch of 128^3 voxels with TotalSegmentator's 104 structures and background. Logits
    /// and gradient of the second take 1.8 GB: it is left out where that is more than a quarter of the memory.
    private static var manyClassShapes: [BatchShape] {
        [BatchShape(1, 19, 1024, 2048), BatchShape(1, 105, 128, 128 * 128)].filter { shape in
            shape.values * 2 * MemoryLayout<Float>.stride < Int(ProcessInfo.processInfo.physicalMemory / 4)
        }
    }

    /// What layouts and types cost beside planar floats. Classes that stand side by side are taken apart in different
    /// ways, by how many there are.
    private static func stored() -> [Entry] {
        let all = [(4, 512), (4, 2048), (19, 512)].flatMap { classes, side in
            Storage.others.map { stored(as: $0, classes, side) }
        }
        let lasts = [2, 9, 16].flatMap { classes in
            Storage.others.filter(\.isChannelsLast).map { stored(as: $0, classes, 512) }
        }
        let beside = [9, 16].map { classes in
            Entry(kernel: .softmaxDiceCrossEntropy, source: .seeded(.street, BatchShape(1, classes, 512, 512)))
        }
        return all + beside + lasts
    }

    private static func stored(as storage: Storage, _ classes: Int, _ side: Int) -> Entry {
        Entry(
            kernel: .softmaxDiceCrossEntropy.stored(as: storage),
            source: .seeded(.street, BatchShape(1, classes, side, side)))
    }

    // MARK: - One channel: lesions

    private static func lesions() -> [Entry] {
        let plain = Kernel.sigmoid.flatMap { kernel in
            [64, 512, 2048, 4096].map { side in
                Entry(
                    kernel: kernel, source: lesion(side),
                    isHeadline: side == (kernel == .binaryDice ? 64 : 4096),
                    everyInstructionSet: [512, 4096].contains(side))
            }
        }
        let checked = [Kernel.sigmoidBCE, .sigmoidFocal].flatMap { kernel in
            [2048, 4096].map { side in checkedBeforeWriting(kernel, lesion(side)) }
        }
        let errors = (Kernel.errors + Kernel.focals).flatMap { kernel in
            [512, 2048].map { side in Entry(kernel: kernel, source: lesion(side)) }
        }
        let maps = [512, 2048].map { side in
            Entry(kernel: .sigmoidLossMap, source: lesion(side), passes: [.lossMap])
        }
        let balanced = [Kernel.balancedL1, .lovaszHinge].flatMap { kernel in
            [512, 2048].map { side in Entry(kernel: kernel, source: lesion(side)) }
        }
        return plain + checked + errors + balanced + maps
    }

    private static func lesion(_ side: Int) -> BatchSource {
        .seeded(.lesion(positive: 0.03), BatchShape(1, 1, side, side))
    }

    // MARK: - One channel, 5 % positive: text in photos

    private static func text() -> [Entry] {
        [(1, 64), (1, 512), (16, 640)].map { samples, side in
            Entry(
                kernel: .hardNegativeMining,
                source: .seeded(.lesion(positive: 0.05), BatchShape(samples, 1, side, side)),
                isHeadline: side == 640, everyInstructionSet: side >= 512)
        } + detection()
    }

    /// Two maps of each photo.
    private static func detection() -> [Entry] {
        [(1, 64), (1, 512), (16, 640)].map { samples, side in
            Entry(
                kernel: .textDetection,
                source: .seeded(.text(positive: 0.05), BatchShape(samples, 2, side, side)),
                isHeadline: side == 640, everyInstructionSet: side >= 512)
        }
    }

    // MARK: - Maps of labels

    private static func maps() -> [Entry] {
        let ofStreets = Kernel.maps.flatMap { kernel in
            [512, 2048].map { side in
                Entry(
                    kernel: kernel, source: .seeded(.street, BatchShape(1, 4, side, side)),
                    isHeadline: side == 2048 && kernel == .boundaryWeights, everyInstructionSet: side == 512,
                    passes: [.map])
            }
        }
        let ofCells = [512, 2048].map { side in
            Entry(
                kernel: .cellWeights, source: .seeded(.cells, BatchShape(1, 1, side, side)),
                everyInstructionSet: side == 512, passes: [.map])
        }
        return ofStreets + ofCells
    }

    // MARK: -

    private static let headlines: Set = [Kernel.softmaxDice.name, Kernel.softmaxDiceCrossEntropy.name]

    private static func checkedBeforeWriting(_ kernel: Kernel, _ source: BatchSource) -> Entry {
        Entry(kernel: kernel.checkedBeforeWriting, source: source, passes: [.gradient])
    }

    /// What can be computed of a batch of the caller's own.
    static func entries(for batch: Batch) -> [Entry] {
        let kernels = batch.shape.classes > 1 ? Kernel.softmax : Kernel.sigmoid + [.hardNegativeMining]
        let maps = Kernel.maps + (batch.shape.classes == 1 ? [.cellWeights] : [])
        return kernels.map { Entry(kernel: $0, source: .given(batch)) }
            + maps.map { Entry(kernel: $0, source: .given(batch), passes: [.map]) }
    }
}
