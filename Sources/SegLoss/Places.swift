/// Ends the program where there is no such place: another's numbers would be taken for it.
func check(_ place: Int, named name: String, isBelow count: Int) {
    precondition(place >= 0 && place < count, "\(name) is \(place): expected 0 ..< \(count)")
}
