// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "TrainStep",
    dependencies: [
        .package(name: "SegLoss", path: "../..")
    ],
    targets: [
        .executableTarget(name: "TrainStep", dependencies: [.product(name: "SegLoss", package: "SegLoss")])
    ],
    swiftLanguageModes: [.v6]
)
