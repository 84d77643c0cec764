import ArgumentParser
import Foundation

/// Draws the losses and their gradients for the documentation. The library computes every point.
struct Pictures: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Draws the losses and their gradients for the documentation, as the library computes them.")

    @Option(help: "Where the pictures go.")
    var folder: String = SegLossBench.repository.appending(path: "docs/pictures").path

    func run() throws {
        let folder = URL(filePath: folder)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for picture in try Gallery.all() {
            let file = folder.appending(path: picture.name + ".svg")
            try picture.svg.write(to: file, atomically: true, encoding: .utf8)
            print("wrote \(file.path)")
        }
    }
}
