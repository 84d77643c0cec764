// swift-tools-version: 6.2
import PackageDescription

// Debian's libomp-dev puts libomp5.so on the default search path; other systems name the library "omp".
let openMPLibrary = Context.environment["SEGLOSS_OPENMP_LIBRARY"] ?? "omp5"

// A build can be instrumented for tests: SEGLOSS_C_FLAGS holds extra flags for the C kernels.
let extraFlags = (Context.environment["SEGLOSS_C_FLAGS"] ?? "").split(separator: " ").map(String.init)

let kernelSettings: [CSetting] = [
    .headerSearchPath("."),
    // Optimised in debug builds too: a debug build of a training tool should not wait for its losses.
    // No contraction: a fused multiply-add stands only where it is written, or the bits would depend on the compiler.
    .unsafeFlags(["-O3", "-ffp-contract=off", "-fno-math-errno", "-fvisibility=hidden"] + extraFlags),
    .unsafeFlags(["-fopenmp", "-Werror=source-uses-openmp"], .when(traits: ["OpenMP"])),
]

let package = Package(
    name: "SegLoss",
    products: [
        .library(name: "SegLoss", targets: ["SegLoss"]),
        .library(name: "CLossKernels", targets: ["CLossKernels"]),
        .library(name: "SegLossReference", targets: ["SegLossReference"]),
    ],
    traits: [
        .trait(name: "OpenMP", description: "Kernels on several threads, through libomp. Without it they run serially."),
        .default(enabledTraits: ["OpenMP"]),
    ],
    targets: [
        .target(
            name: "CLossKernels",
            cSettings: kernelSettings,
            linkerSettings: [
                .linkedLibrary("m"),
                .linkedLibrary(openMPLibrary, .when(traits: ["OpenMP"])),
            ]
        ),
        .target(name: "SegLoss", dependencies: ["CLossKernels"], swiftSettings: [.strictMemorySafety()]),
        .target(
            name: "SegLossReference",
            path: "Tests/SegLossReference",
            // Optimised in debug builds too, where it would take most of the tests' time. Its traps stay.
            swiftSettings: [.unsafeFlags(["-O"], .when(configuration: .debug))],
            // A fused multiply-add is a call of fmaf where the processor is not known to have the instruction.
            linkerSettings: [.linkedLibrary("m")]
        ),
        .target(
            name: "CKernelProbe",
            path: "Tests/CKernelProbe",
            // It compiles the kernels' own headers, as the kernels do.
            cSettings: [
                .headerSearchPath("../../Sources/CLossKernels"),
                .unsafeFlags(["-O3", "-ffp-contract=off", "-fno-math-errno"] + extraFlags),
            ]
        ),
        .testTarget(
            name: "SegLossTests",
            dependencies: ["SegLoss", "SegLossReference", "CLossKernels", "CKernelProbe"],
            resources: [.copy("Fixtures")]
        ),
    ],
    swiftLanguageModes: [.v6]
)
