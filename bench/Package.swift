// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that nobody who uses the library resolves what only the bench needs.
let package = Package(
    name: "SegLossBench",
    dependencies: [
        .package(name: "SegLoss", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    ],
    targets: [
        .executableTarget(
            name: "seglossbench",
            dependencies: [
                "CBandwidth",
                "CLabelMap",
                .product(name: "SegLoss", package: "SegLoss"),
                .product(name: "SegLossReference", package: "SegLoss"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]
        ),
        // The limit must be the machine's, not the build's: optimised whatever the configuration.
        .target(
            name: "CBandwidth",
            cSettings: [.unsafeFlags(["-O3"])],
            linkerSettings: [.linkedLibrary("pthread")]
        ),
        .target(name: "CLabelMap", dependencies: ["CPng"]),
        .systemLibrary(name: "CPng", pkgConfig: "libpng", providers: [.apt(["libpng-dev"]), .brew(["libpng"])]),
    ],
    swiftLanguageModes: [.v6]
)
