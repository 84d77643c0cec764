// Losses of regions: overlaps of prediction and target. Their formulas and options: ``Region``.

extension Loss {
    /// Any region term.
    public static func region(_ region: Region) -> Loss {
        Loss(terms: [WeightedTerm(term: .region(region))])
    }

    /// Dice loss: one minus the overlap of prediction and target, of each class, then the mean of the classes.
    ///
    ///     mean_c w_c [ 1 - (2 I_c + numerator) / (U_c + denominator) ],
    ///     I = sum_i p g,    U = sum_i p + sum_i g    or    sum_i p^2 + sum_i g^2
    ///
    /// The linear form with `smooth: .both(1e-5)` is MONAI's `DiceLoss`; the squared one is from Milletari et al.,
    /// "V-Net" (2016); with ``Intersection/minimum`` it is the soft-label loss of Wang et al. (2023). For every
    /// ``Activation``.
    ///
    /// - Parameters:
    ///   - smooth: What is added to numerator and denominator.
    ///   - denominator: Whether `U` sums values or squares.
    ///   - scope: Over what the sums are taken.
    ///   - classes: Which classes take part.
    ///   - classWeights: `w`, one for each class (those left out included); an array alone multiplies, as in MONAI.
    ///   - intersection: How prediction and target meet; of interest for soft targets.
    ///   - absent: What a class counts that the target lacks.
    ///   - leastDenominator: Where the denominator is held.
    ///   - voxelWeights: Whether voxel weights enter the sums (weighted Dice).
    public static func dice(
        smooth: Smooth = .both(1e-5),
        denominator: Denominator = .linear,
        scope: Scope = .sample,
        classes: Classes = .all,
        classWeights: ClassWeights? = nil,
        intersection: Intersection = .product,
        absent: Absent = .natural,
        leastDenominator: Double = 0,
        voxelWeights: Region.VoxelWeights = .unused
    ) -> Loss {
        region(
            Region(
                .dice, smooth: smooth, denominator: denominator, intersection: intersection, scope: scope,
                classes: classes, classWeights: classWeights, absent: absent, leastDenominator: leastDenominator,
                voxelWeights: voxelWeights))
    }

    /// Jaccard loss, or soft intersection over union: `1 - (I + numerator) / (P + G - I + denominator)` of each class,
    /// then the mean of the classes. For every ``Activation``.
    ///
    /// MONAI's `DiceLoss(jaccard=True)` has half its smoothing here: `(2I + s) / (2 (P + G - I) + s)`.
    ///
    /// - Parameters: As for Dice.
    public static func jaccard(
        smooth: Smooth = .both(1e-5),
        denominator: Denominator = .linear,
        scope: Scope = .sample,
        classes: Classes = .all,
        classWeights: ClassWeights? = nil,
        absent: Absent = .natural,
        leastDenominator: Double = 0
    ) -> Loss {
        region(
            Region(
                .jaccard, smooth: smooth, denominator: denominator, scope: scope, classes: classes,
                classWeights: classWeights, absent: absent, leastDenominator: leastDenominator))
    }

    /// Tversky loss: Dice with weights of its own for false positives and false negatives (1/2 and 1/2 are Dice, 1 and
    /// 1 Jaccard).
    ///
    ///     mean_c w_c [ 1 - (I + n) / (I + alpha (P - I) + beta (G - I) + d) ]
    ///
    /// From Salehi et al., "Tversky loss function for image segmentation" (2017). For every ``Activation``.
    ///
    /// - Parameters:
    ///   - falsePositives: alpha, at least 0.
    ///   - falseNegatives: beta, at least 0; larger than alpha it asks for recall.
    ///   - smooth: n and d.
    ///   - scope: Over what the sums are taken.
    ///   - classes: Which classes take part.
    ///   - classWeights: `w`, one for each class.
    ///   - absent: What a class counts that the target lacks.
    ///   - leastDenominator: Where the denominator is held.
    public static func tversky(
        falsePositives: Double = 0.3,
        falseNegatives: Double = 0.7,
        smooth: Smooth = .both(1e-5),
        scope: Scope = .sample,
        classes: Classes = .all,
        classWeights: ClassWeights? = nil,
        absent: Absent = .natural,
        leastDenominator: Double = 0
    ) -> Loss {
        region(
            Region(
                .tversky(falsePositives: falsePositives, falseNegatives: falseNegatives), smooth: smooth, scope: scope,
                classes: classes, classWeights: classWeights, absent: absent, leastDenominator: leastDenominator))
    }

    /// Focal Tversky loss: `(1 - T_c)^gamma` of each class's Tversky score, or of the mean of `1 - T_c`.
    ///
    /// From Abraham and Khan, "A novel focal Tversky loss function" (2019), whose exponent is 1 / gamma = 3/4 of each
    /// class; segmentation_models.pytorch raises the mean. For every ``Activation``.
    ///
    /// - Parameters:
    ///   - falsePositives: alpha, at least 0.
    ///   - falseNegatives: beta, at least 0.
    ///   - exponent: What is raised, and to what power, at least 0.
    ///   - smooth: What is added to numerator and denominator.
    ///   - scope: Over what the sums are taken.
    ///   - classes: Which classes take part.
    ///   - classWeights: One for each class.
    ///   - absent: What a class counts that the target lacks.
    ///   - leastDenominator: Where the denominator is held.
    public static func focalTversky(
        falsePositives: Double = 0.3,
        falseNegatives: Double = 0.7,
        exponent: Region.Exponent = .classes(0.75),
        smooth: Smooth = .both(1e-5),
        scope: Scope = .sample,
        classes: Classes = .all,
        classWeights: ClassWeights? = nil,
        absent: Absent = .natural,
        leastDenominator: Double = 0
    ) -> Loss {
        region(
            Region(
                .tversky(falsePositives: falsePositives, falseNegatives: falseNegatives), smooth: smooth, scope: scope,
                classes: classes, classWeights: classWeights, exponent: exponent, absent: absent,
                leastDenominator: leastDenominator))
    }

    /// Generalized Dice loss: one Dice of all classes together, each weighted by its volume.
    ///
    ///     1 - (2 sum_c w_c I_c + n) / (sum_c w_c (P_c + G_c) + d),    w_c = 1 / G_c^2, 1 / G_c or 1
    ///
    /// From Sudre et al., "Generalised Dice overlap" (2017). An absent class has the largest weight of the others
    /// (MONAI's rule); where all are absent the loss is 0. For every ``Activation``.
    ///
    /// - Parameters:
    ///   - volumes: What the classes weigh.
    ///   - smooth: What is added to numerator and denominator.
    ///   - scope: ``Scope/samplePooled`` or ``Scope/batchPooled``.
    ///   - classes: Which classes take part.
    public static func generalizedDice(
        volumes: VolumeWeights = .square(),
        smooth: Smooth = .both(1e-5),
        scope: Scope = .samplePooled,
        classes: Classes = .all
    ) -> Loss {
        region(Region(.generalizedDice(volumes), smooth: smooth, scope: scope, classes: classes))
    }

    /// Log-Dice loss: `-log max(D_c, least)` of each class's Dice score. Below `least` the gradient is 0.
    ///
    /// - Parameters:
    ///   - least: From 0 to 1.
    ///   - smooth: What is added to numerator and denominator.
    ///   - denominator: Whether the denominator sums values or squares.
    ///   - scope: Over what the sums are taken.
    ///   - classes: Which classes take part.
    ///   - classWeights: One for each class.
    ///   - absent: What a class counts that the target lacks.
    ///   - leastDenominator: Where the denominator is held.
    public static func logDice(
        least: Double = 1e-7,
        smooth: Smooth = .both(1e-5),
        denominator: Denominator = .linear,
        scope: Scope = .sample,
        classes: Classes = .all,
        classWeights: ClassWeights? = nil,
        absent: Absent = .natural,
        leastDenominator: Double = 0
    ) -> Loss {
        region(
            Region(
                .dice, smooth: smooth, denominator: denominator, scope: scope, classes: classes,
                classWeights: classWeights, value: .minusLogScore(least: least), absent: absent,
                leastDenominator: leastDenominator))
    }

    /// Log-Jaccard loss: `-log max(J_c, least)` of each class's Jaccard score. Below `least` the gradient is 0.
    ///
    /// - Parameters: As for log-Dice.
    public static func logJaccard(
        least: Double = 1e-7,
        smooth: Smooth = .both(1e-5),
        scope: Scope = .sample,
        classes: Classes = .all,
        classWeights: ClassWeights? = nil,
        absent: Absent = .natural,
        leastDenominator: Double = 0
    ) -> Loss {
        region(
            Region(
                .jaccard, smooth: smooth, scope: scope, classes: classes, classWeights: classWeights,
                value: .minusLogScore(least: least), absent: absent, leastDenominator: leastDenominator))
    }

    /// Log-cosh Dice loss: `log cosh(1 - D_c)` of each class. From Jadon, "A survey of loss functions for semantic
    /// segmentation" (2020).
    ///
    /// - Parameters: As for Dice.
    public static func logCoshDice(
        smooth: Smooth = .both(1e-5),
        denominator: Denominator = .linear,
        scope: Scope = .sample,
        classes: Classes = .all,
        classWeights: ClassWeights? = nil
    ) -> Loss {
        region(
            Region(
                .dice, smooth: smooth, denominator: denominator, scope: scope, classes: classes,
                classWeights: classWeights, value: .logCosh))
    }

    /// The Dice half of the exponential-logarithmic loss: `(-log max(D_c, least))^gamma` of each class, then the mean.
    ///
    /// From Wong et al., "3D segmentation with exponential logarithmic loss" (2018), who add 0.8 of it to 0.2 of a
    /// cross entropy raised likewise. At a score of 1 the slope of the power is infinite; there the gradient is 0.
    ///
    /// - Parameters:
    ///   - gamma: At least 0; 0 and 1 raise nothing.
    ///   - least: From 0 to 1; below it the gradient is 0.
    ///   - smooth: What is added to numerator and denominator.
    ///   - scope: Over what the sums are taken.
    ///   - classes: Which classes take part.
    public static func exponentialLogarithmicDice(
        gamma: Double = 0.3,
        least: Double = 1e-6,
        smooth: Smooth = .both(1),
        scope: Scope = .sample,
        classes: Classes = .all
    ) -> Loss {
        region(
            Region(
                .dice, smooth: smooth, scope: scope, classes: classes, value: .minusLogScore(least: least),
                exponent: .classes(gamma)))
    }

    /// One minus Matthews' correlation coefficient of the soft counts. From Abhishek and Hamarneh, "Matthews
    /// correlation coefficient loss for deep convolutional networks" (2021).
    ///
    /// - Parameters:
    ///   - smoothCounts: What is added to each of the four counts, at least 0 (segmentation_models.pytorch: 1e-5).
    ///   - smoothProduct: What is added to the product of the margins, under the root, at least 0 (MONAI: 1e-5).
    ///   - perfectIsOne: Where nothing is wrong the correlation is 1, whatever the smoothing and also where a margin is
    ///     empty (MONAI).
    ///   - smooth: What is added to numerator and denominator.
    ///   - scope: Over what the counts are taken.
    ///   - classes: Which classes take part.
    ///   - classWeights: One for each class.
    public static func matthews(
        smoothCounts: Double = 1e-5,
        smoothProduct: Double = 0,
        perfectIsOne: Bool = false,
        smooth: Smooth = .none,
        scope: Scope = .batch,
        classes: Classes = .all,
        classWeights: ClassWeights? = nil
    ) -> Loss {
        region(
            Region(
                .matthews(smoothCounts: smoothCounts, smoothProduct: smoothProduct, perfectIsOne: perfectIsOne),
                smooth: smooth, scope: scope, classes: classes, classWeights: classWeights))
    }

    /// Leaky Dice loss: what precision and recall lack, each with its weight, so that missing an object may cost more
    /// than leaking out of it.
    ///
    ///     mean_c w_c [ falsePositives (1 - (I + n) / (P + d)) + falseNegatives (1 - (I + n) / (G + d)) ]
    ///
    /// DB's `LeakyDiceLoss`, whose `coverage_scale` is `falseNegatives`. For every ``Activation``.
    ///
    /// - Parameters:
    ///   - falsePositives: The weight of 1 - precision, at least 0.
    ///   - falseNegatives: The weight of 1 - recall, at least 0; not both are 0.
    ///   - smooth: n and d.
    ///   - scope: Over what the sums are taken.
    ///   - classes: Which classes take part.
    ///   - classWeights: `w`, one for each class.
    ///   - absent: What a class counts that the target lacks.
    public static func leakyDice(
        falsePositives: Double = 1,
        falseNegatives: Double = 5,
        smooth: Smooth = .denominator(1e-6),
        scope: Scope = .batch,
        classes: Classes = .all,
        classWeights: ClassWeights? = nil,
        absent: Absent = .natural
    ) -> Loss {
        region(
            Region(
                .leakyDice(falsePositives: falsePositives, falseNegatives: falseNegatives), smooth: smooth,
                scope: scope, classes: classes, classWeights: classWeights, absent: absent))
    }
}
