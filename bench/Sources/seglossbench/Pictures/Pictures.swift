import ArgumentParser
import Foundation

/// Draws the losses and their gradients for the documentation. The library computes every point.
struct Pictures: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Draws the losses and their gradients for the documentation, as the library computes them.")

    @Option(help: "Where the pictures go; docs/pictures, or with --images bench/out/pictures.")
    var folder: String?

    @Option(help: "A folder of label maps (.png) and logits (.npy): draws the maps and gradients of its first image.")
    // Not "data": the command above this one has an option of that name, and would take it.
    var images: String?

    func run() throws {
        // Data sets have terms of their own: what is drawn of them stays out of the documentation.
        let standard = images == nil ? "docs/pictures" : "bench/out/pictures"
        let folder = folder.map { URL(filePath: $0) } ?? SegLossBench.repository.appending(path: standard)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let maps = try images.map { try MapGallery(folder: URL(filePath: $0)) } ?? MapGallery()
        for picture in try maps.all() { try write(picture.svg, picture.name, folder) }
        guard images == nil else { return }
        for picture in try Gallery.all() { try write(picture.svg, picture.name, folder) }
    }

    private func write(_ svg: String, _ name: String, _ folder: URL) throws {
        let file = folder.appending(path: name + ".svg")
        try svg.write(to: file, atomically: true, encoding: .utf8)
        print("wrote \(file.path)")
    }
}
