/// What this build makes of threads: without OpenMP every call runs on one, and plans for no more.
enum Threads {
    #if OpenMP
        static let canBeMany = true
    #else
        static let canBeMany = false
    #endif

    static func planned(_ asked: Int) -> Int { canBeMany ? asked : 1 }
}
