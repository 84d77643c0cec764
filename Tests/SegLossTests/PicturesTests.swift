import Foundation
import XCTest

/// The pictures that the pages of the losses show are there, are drawings, and are of a size that a page can bear.
/// `make pictures` draws them.
final class PicturesTests: XCTestCase {
    func testPagesShowTheirPictures() throws {
        let pages = CompletenessTests.root.appending(path: "docs/losses")
        let families = ["cross-entropy", "binary-cross-entropy", "focal", "region", "selection", "error", "dbnet"]
        for family in families {
            let page = try String(contentsOf: pages.appending(path: family + ".md"), encoding: .utf8)
            XCTAssertTrue(page.contains("](../pictures/\(family).svg)"), "\(family).md does not show its picture")
        }
        var shown = 0
        for page in try FileManager.default.contentsOfDirectory(at: pages, includingPropertiesForKeys: nil) {
            let text = try String(contentsOf: page, encoding: .utf8)
            for link in text.matches(of: /!\[[^\]]+\]\(([^)]+)\)/) {
                try checkPicture(pages.appending(path: String(link.output.1)))
                shown += 1
            }
        }
        XCTAssertTrue(shown >= families.count)
    }

    func testPagesOfMapsShowTheirPictures() throws {
        let docs = CompletenessTests.root.appending(path: "docs")
        for (page, name) in [
            ("distance.md", "maps-distance"), ("weight-maps.md", "maps-weights"),
            ("losses/focal.md", "maps-gradients"), ("losses/cross-entropy.md", "maps-gradients"),
            ("losses/region.md", "maps-gradients"),
            ("losses/boundary.md", "maps-gradients"), ("losses/lovasz.md", "maps-gradients"),
        ] {
            let text = try String(contentsOf: docs.appending(path: page), encoding: .utf8)
            XCTAssertTrue(text.contains("pictures/\(name).svg)"), "\(page) does not show \(name)")
            try checkPicture(docs.appending(path: "pictures/\(name).svg"))
        }
    }

    private func checkPicture(_ url: URL) throws {
        let picture = try String(contentsOf: url, encoding: .utf8)
        XCTAssertTrue(picture.hasPrefix("<svg "), "\(url.path)")
        // Drawings are small; what holds pixels may be larger, and any letters may follow each other in it.
        let drawing = picture.replacing(/base64,[^"]*/, with: "")
        XCTAssertTrue(drawing.utf8.count < 60_000, "\(url.path) has \(drawing.utf8.count) bytes")
        XCTAssertTrue(picture.utf8.count < 150_000, "\(url.path) has \(picture.utf8.count) bytes")
        XCTAssertFalse(drawing.contains("nan"), "\(url.path)")
    }
}
