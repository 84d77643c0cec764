import CLossKernels
import SegLoss
import XCTest

/// What is refused of losses that measure distances, and that a refused call leaves the gradient alone.
final class DistanceTermBadInputTests: XCTestCase {
    private let shape = Shape(samples: 1, classes: 3, extents: [6, 10])

    private func refused(
        _ kind: LossError.Kind, _ words: String..., loss: Loss, shape: Shape? = nil, index: Int = 0,
        activation: Activation = .softmax, line: UInt = #line
    ) {
        do throws(LossError) {
            _ = try Evaluator(loss, shape: shape ?? self.shape, activation: activation)
            XCTFail("planned; expected \(kind)", line: line)
        } catch {
            XCTAssertEqual(error.kind, kind, error.message, line: line)
            XCTAssertEqual(error.index, index, error.message, line: line)
            for word in words {
                XCTAssertTrue(error.message.contains(word), "'\(error.message)' lacks '\(word)'", line: line)
            }
        }
    }

    /// Each option of both kinds.
    private let makers: [(Classes, [Float]?, DistanceFar, [Double]?, Divisor) -> Loss] = [
        { .boundary(classes: $0, classWeights: $1, far: $2, spacing: $3, divisor: $4) },
        { .hausdorff(classes: $0, classWeights: $1, far: $2, spacing: $3, divisor: $4) },
    ]

    func testClasses() throws {
        for make in makers {
            for named in [[3], [0, 3], [-1], [700]] {
                refused(
                    .badOption, "classes has class", "expected 0 to 2",
                    loss: make(.only(named), nil, .zero, nil, .weight))
            }
            refused(.badOption, "classes is empty", loss: make(.only([]), nil, .zero, nil, .weight))
            refused(.wrongSize, "class_weights", "3 classes", loss: make(.all, [1, 1], .zero, nil, .weight))
            for bad in [-1, .nan, .infinity, 0x1p19] as [Float] {
                refused(.badOption, "class_weights[1]", loss: make(.all, [1, bad, 1], .zero, nil, .weight))
            }
            refused(.badOption, "leaves no class", loss: make(.all, [0, 0, 0], .zero, nil, .weight))
            refused(.badOption, "leaves no class", loss: make(.only([1]), [1, 0, 1], .zero, nil, .weight))
            refused(.badOption, "leaves no class", loss: make(.foreground, [1, 0, 0], .zero, nil, .weight))
            _ = try Evaluator(make(.only([1]), [0, 1, 0], .zero, nil, .weight), shape: shape, activation: .softmax)
            // One channel alone takes part.
            let one = Shape(samples: 1, classes: 1, extents: [6, 10])
            _ = try Evaluator(make(.foreground, nil, .zero, nil, .weight), shape: one, activation: .sigmoid)
        }
    }

    func testSpacing() throws {
        for make in makers {
            for bad in [0, -1, .nan] {
                refused(.badOption, "spacing[1]", loss: make(.all, nil, .zero, [1, bad], .weight))
            }
            refused(.badOption, "spacing[2]", "inf", loss: make(.all, nil, .zero, [1, .infinity], .weight))
            refused(.badOption, "3 spacings", "2 extents", loss: make(.all, nil, .zero, [1, 1, 1], .weight))
            refused(.badOption, "0 spacings", loss: make(.all, nil, .zero, [], .weight))
            refused(.badOption, "too small beside", loss: make(.all, nil, .zero, [1, 1e-9], .weight))
            _ = try Evaluator(make(.all, nil, .zero, [1e-3, 2.5], .weight), shape: shape, activation: .softmax)
        }
    }

    func testShapes() throws {
        for make in makers {
            let loss = make(.all, nil, .zero, nil, .weight)
            refused(.badShape, "4 extents", loss: loss, shape: Shape(samples: 1, classes: 3, extents: [1, 1, 6, 10]))
            refused(
                .badShape, "0 extents", loss: .dice() + loss, shape: Shape(samples: 1, classes: 3, extents: []),
                index: 1)
            // Squared distances of such a row are not exact.
            refused(
                .badShape, "extents.columns is 16777217", loss: loss,
                shape: Shape(samples: 1, classes: 3, extents: [1, (1 << 24) + 1]))
            _ = try Evaluator(loss, shape: Shape(samples: 1, classes: 3, extents: [60]), activation: .softmax)
        }
    }

    func testOptions() throws {
        for make in makers {
            refused(.badOption, "far is infinity", loss: make(.all, nil, .infinity, nil, .weight))
            for bad in [0, -1, .nan, .infinity] {
                refused(.badOption, "divisor_value", loss: make(.all, nil, .zero, nil, .constant(bad)))
            }
            refused(.badOption, "divisor", loss: make(.all, nil, .zero, nil, .factors()))
            let loss = make(.all, nil, .zero, nil, .weight)
            refused(.badTerm, "expected at most one", loss: loss + .dice() + loss, index: 2)
        }
        for bad in [0, -1, .nan, .infinity, 1e-320] { refused(.badOption, "alpha", loss: .hausdorff(alpha: bad)) }
        refused(.badOption, "alpha is 100", "2^110", loss: .hausdorff(alpha: 100))
        refused(.badOption, "alpha is 12", loss: .hausdorff(alpha: 12, spacing: [1e-4, 1e-4]))
        let one = Shape(samples: 1, classes: 1, extents: [6, 10])
        refused(
            .badOption, "2 classes or more", loss: .hausdorff(prediction: .largest), shape: one, activation: .sigmoid)
        _ = try Evaluator(.boundary() + .hausdorff() + .linear(), shape: shape, activation: .softmax)
    }

    /// What Swift cannot say.
    func testSpecs() {
        var term = closs_term()
        term.kind = CLOSS_BOUNDARY
        term.weight = 1
        func plan(
            extents: closs_extents = closs_extents(planes: 0, rows: 6, columns: 10),
            _ change: (inout closs_term) -> Void = { _ in }
        ) -> (closs_status, String) {
            var changed = term
            change(&changed)
            var plan: OpaquePointer?
            var error = closs_error()
            let status = withUnsafePointer(to: changed) { terms in
                var spec = closs_spec()
                spec.shape = closs_shape(samples: 1, classes: 3, voxels: 60)
                spec.terms = terms
                spec.term_count = 1
                spec.extents = extents
                return closs_plan_create(&spec, &plan, &error)
            }
            closs_plan_destroy(plan)
            return (
                status, withUnsafeBytes(of: error.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            )
        }
        func expect(_ status: closs_status, _ words: String, _ answer: (closs_status, String), line: UInt = #line) {
            XCTAssertEqual(answer.0, status, answer.1, line: line)
            XCTAssertTrue(answer.1.contains(words), answer.1, line: line)
        }
        XCTAssertEqual(plan().0, CLOSS_OK)
        expect(CLOSS_BAD_SHAPE, "expected the extents of a sample", plan(extents: closs_extents()))
        for bad in [closs_extents(planes: 1, rows: 6, columns: 11), closs_extents(planes: -1, rows: -6, columns: 10)] {
            expect(CLOSS_BAD_SHAPE, "expected the 60 voxels", plan(extents: bad))
        }
        let huge = closs_extents(planes: 1 << 31, rows: 1 << 31, columns: 1 << 31)
        expect(CLOSS_BAD_SHAPE, "expected the 60 voxels", plan(extents: huge))
        expect(CLOSS_BAD_OPTION, "class 3", plan { $0.of.distance.classes.0 = 8 })
        expect(CLOSS_BAD_OPTION, "class 511", plan { $0.of.distance.classes.7 = 1 << 63 })
        expect(
            CLOSS_BAD_OPTION, "inner_boundary",
            plan { $0.of.distance.inner_boundary = closs_inner_boundary(rawValue: 4) })
        expect(CLOSS_BAD_OPTION, "far", plan { $0.of.distance.far = closs_distance_far(rawValue: 9) })
        expect(CLOSS_BAD_OPTION, "alpha", plan { $0.of.distance.alpha = 2 })
        expect(CLOSS_BAD_OPTION, "sides", plan { $0.of.distance.sides = CLOSS_SIDES_INSIDE })
        expect(CLOSS_BAD_OPTION, "logarithm", plan { $0.of.distance.logarithm = 1 })
        expect(CLOSS_BAD_OPTION, "prediction", plan { $0.of.distance.prediction = CLOSS_PREDICTION_LARGEST })
        term.kind = CLOSS_HAUSDORFF
        term.of.distance.alpha = 2
        XCTAssertEqual(plan().0, CLOSS_OK)
        expect(CLOSS_BAD_OPTION, "inner_boundary", plan { $0.of.distance.inner_boundary = CLOSS_INNER_HALF })
        expect(CLOSS_BAD_OPTION, "prediction", plan { $0.of.distance.prediction = closs_prediction(rawValue: 2) })
        expect(CLOSS_BAD_OPTION, "sides", plan { $0.of.distance.sides = closs_sides(rawValue: 2) })
        expect(CLOSS_BAD_OPTION, "alpha", plan { $0.of.distance.alpha = 0 })
        // Extents are looked at whatever the terms are.
        term = closs_term()
        term.kind = CLOSS_CROSS_ENTROPY
        term.weight = 1
        XCTAssertEqual(plan().0, CLOSS_OK)
        XCTAssertEqual(plan(extents: closs_extents()).0, CLOSS_OK)
        expect(CLOSS_BAD_SHAPE, "expected the 60 voxels", plan(extents: closs_extents(planes: 0, rows: 7, columns: 9)))
    }

    /// Bad values are found as everywhere, before anything is written; maps are refused where no term takes them.
    func testCalls() throws {
        for (loss, activation) in [
            (Loss.boundary(), Activation.softmax), (.hausdorff(), .softmax), (.hausdorff(logarithm: true), .softmax),
            (.boundary(), .sigmoid), (.hausdorff(prediction: .largest), .probabilities),
        ] {
            var evaluator = try Evaluator(loss, shape: shape, activation: activation)
            let good = [Float](repeating: 0.25, count: 180)
            let labels = (0..<60).map { UInt8($0 / 20) }
            func error(_ logits: [Float], _ labels: [UInt8], maps: [Float]? = nil, line: UInt = #line) -> LossError? {
                var gradient = [Float](repeating: 7, count: 180)
                do throws(LossError) {
                    _ = try evaluator.evaluate(logits: logits, labels: labels, maps: maps, gradient: &gradient)
                    return nil
                } catch {
                    XCTAssertTrue(gradient.allSatisfy { $0 == 7 }, "the gradient was touched", line: line)
                    return error
                }
            }
            XCTAssertNil(error(good, labels))
            XCTAssertEqual(error(good, labels, maps: good)?.kind, .badTerm)
            for bad in [.nan, .infinity, -.infinity] as [Float] {
                var logits = good
                logits[77] = bad
                let refusal = try XCTUnwrap(error(logits, labels))
                XCTAssertEqual(
                    refusal.kind, activation == .probabilities ? .badProbability : .notFinite, refusal.message)
                XCTAssertEqual(refusal.index, 77, refusal.message)
            }
            var wrong = labels
            wrong[59] = 3
            XCTAssertEqual(error(good, wrong)?.kind, .badLabel)
            XCTAssertEqual(error(good, wrong)?.index, 59)
            XCTAssertEqual(error(Array(good.dropLast()), labels)?.kind, .wrongSize)
        }
    }
}
