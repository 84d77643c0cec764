import Foundation
import XCTest

/// The pictures that the pages of the losses show are there, are drawings, and are of a size that a page can bear.
/// `make pictures` draws them.
final class PicturesTests: XCTestCase {
    func testPagesShowTheirPictures() throws {
        let pages = CompletenessTests.root.appending(path: "docs/losses")
        let families = ["cross-entropy", "binary-cross-entropy", "focal", "region", "error", "dbnet"]
        for family in families {
            let page = try String(contentsOf: pages.appending(path: family + ".md"), encoding: .utf8)
            XCTAssertTrue(page.contains("](../pictures/\(family).svg)"), "\(family).md does not show its picture")
        }
        var shown = 0
        for page in try FileManager.default.contentsOfDirectory(at: pages, includingPropertiesForKeys: nil) {
            let text = try String(contentsOf: page, encoding: .utf8)
            for link in text.matches(of: /!\[[^\]]+\]\(([^)]+)\)/) {
                let picture = try Data(contentsOf: pages.appending(path: String(link.output.1)))
                XCTAssertTrue(picture.starts(with: Data("<svg ".utf8)), "\(link.output.1)")
                XCTAssertTrue(picture.count < 60_000, "\(link.output.1) has \(picture.count) bytes")
                XCTAssertFalse(picture.contains(Data("nan".utf8)), "\(link.output.1)")
                shown += 1
            }
        }
        XCTAssertTrue(shown >= families.count)
    }
}

extension Data {
    fileprivate func contains(_ other: Data) -> Bool { range(of: other) != nil }
}
