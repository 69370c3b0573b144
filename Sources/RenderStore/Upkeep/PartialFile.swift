internal import Glibc
internal import Synchronization

/// A file that is made beside the place where it will stand, under a name that says so, and gets its
/// own name when it is whole and on disk: nobody ever sees half of it under that name.
///
/// What a killed process has left is removed by the next one that makes such a file in the folder.
/// It is told from one that is being made by a lock, far behind all that is ever written.
public final class PartialFile: Sendable {
  private enum State {
    case begun
    case published
    case abandoned
  }

  static let suffix = ".renderstate-partial"
  private static let lockedBytes = (1 << 62)..<(1 << 62) + 1

  /// Where it will stand, with all links in the folder's name resolved.
  public let destination: String
  /// Where it is being made.
  let path: String
  /// The file, for what SQLite does not do.
  let descriptor: Int32
  private let state = Mutex(State.begun)

  /// Makes an empty file that only this user may read.
  ///
  /// - Parameters:
  ///   - destination: where it will stand.
  ///   - isReplacing: whether something may stand there.
  /// - Throws: one line that says why it cannot be made.
  public init(for destination: String, isReplacing: Bool = false) throws(UpkeepError) {
    let (folder, name) = try Self.place(of: destination)
    if !isReplacing { try Self.checkIsFree(destination) }
    self.destination = folder == "/" ? "/\(name)" : "\(folder)/\(name)"
    path = self.destination + Self.suffix
    Self.sweep(folder)
    descriptor = try Self.make(path, for: destination)
  }

  deinit {
    close(descriptor)
  }

  /// Gives the file its name, where nothing may stand, and makes sure that it is on disk.
  public func publish() throws(UpkeepError) {
    try publish { () throws(UpkeepError) in
      try Self.checkIsFree(destination)
      guard rename(path, destination) == 0 else {
        throw UpkeepError("\(destination) cannot be made: \(reason())")
      }
    }
  }

  /// Writes the file to disk, has it put in its place, and writes that to disk.
  func publish(_ place: () throws(UpkeepError) -> Void) throws(UpkeepError) {
    try state.withLock { (state) throws(UpkeepError) in
      try checkBegun(state)
      guard fsync(descriptor) == 0 else {
        throw UpkeepError("\(destination) cannot be written to disk: \(reason())")
      }
      try place()
      state = .published
      try Self.writeFolderToDisk(of: destination)
    }
  }

  /// Runs what opens the file by its name, which the file bears until that is done.
  ///
  /// - Throws: that it was given up: who opened it now would make it anew, and leave it there.
  func whileNamed<Result: Sendable>(_ body: () throws -> Result) throws -> Result {
    try state.withLock { state in
      try checkBegun(state)
      return try body()
    }
  }

  private func checkBegun(_ state: State) throws(UpkeepError) {
    guard state == .begun else { throw UpkeepError("\(destination) was given up") }
  }

  /// Removes what has been made, unless it has its name already.
  ///
  /// - Returns: whether there is nothing of it, and never will be.
  @discardableResult
  public func abandon() -> Bool {
    state.withLock { state in
      guard state != .published else { return false }
      if state == .begun { unlink(path) }
      state = .abandoned
      return true
    }
  }

  /// Hands what has been written so far over to the disk, so that at the end little is left to be
  /// written: a large rest would hold up the commits of others on the same disk.
  func writeToDisk() throws(UpkeepError) {
    guard fdatasync(descriptor) == 0 else {
      throw UpkeepError("\(destination) cannot be written to disk: \(reason())")
    }
  }

  /// How large it is by now.
  public var bytes: Int64 {
    var status = stat()
    return fstat(descriptor, &status) == 0 ? Int64(status.st_size) : 0
  }

  // MARK: - The folder

  /// The folder and the name of a file that is to be made.
  private static func place(
    of path: String
  ) throws(UpkeepError) -> (folder: String, name: String) {
    let slash = path.lastIndex(of: "/")
    let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
    let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    guard !name.isEmpty else {
      throw UpkeepError("\(path) is the name of a folder; name a file in it")
    }
    guard let resolved = DatabaseFile.realPath(folder) else {
      throw UpkeepError(
        "\(path) cannot be made: there is no folder \(folder); make it, or name another file"
      )
    }
    return (resolved, name)
  }

  private static func checkIsFree(_ path: String) throws(UpkeepError) {
    var status = stat()
    guard lstat(path, &status) != 0 else {
      throw UpkeepError("\(path) is there already, and is not written over; name another file")
    }
  }

  private static func make(
    _ path: String,
    for destination: String
  ) throws(UpkeepError) -> Int32 {
    // Somebody who sweeps may take it for left behind before it is locked.
    for _ in 0..<100 {
      let flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW
      let descriptor = open(path, flags, 0o600)
      guard descriptor >= 0 else {
        guard errno == EEXIST else {
          throw UpkeepError("\(destination) cannot be made: \(reason())")
        }
        throw UpkeepError(
          """
          another command is making \(destination), or its \(suffix) file cannot be removed: \
          wait for it, or name another file
          """
        )
      }
      _ = openFileLock(setOpenFileLock, Int16(F_WRLCK), on: descriptor, bytes: lockedBytes)
      if bearsItsName(descriptor, path) { return descriptor }
      close(descriptor)
    }
    throw UpkeepError("\(destination) cannot be made: others are busy in its folder; try again")
  }

  /// Removes what killed processes have left in a folder.
  private static func sweep(_ folder: String) {
    guard let stream = opendir(folder) else { return }
    defer { closedir(stream) }
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { name in
        name.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name.hasSuffix(suffix) { removeIfLeftBehind("\(folder)/\(name)") }
    }
  }

  private static func removeIfLeftBehind(_ path: String) {
    var status = stat()
    guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return }
    let descriptor = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    let lock = openFileLock(setOpenFileLock, Int16(F_WRLCK), on: descriptor, bytes: lockedBytes)
    if lock != nil, bearsItsName(descriptor, path) { unlink(path) }
  }

  private static func writeFolderToDisk(of path: String) throws(UpkeepError) {
    let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
    let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    defer { close(descriptor) }
    // Some network filesystems know no such thing, and say that it is invalid.
    guard descriptor >= 0, fsync(descriptor) == 0 || errno == EINVAL else {
      throw UpkeepError(
        "\(path) is there, but its folder cannot be written to disk (\(reason())); look after the disk"
      )
    }
  }
}

/// Whether others who open the file by its name get the one that is open here.
func bearsItsName(_ descriptor: Int32, _ path: String) -> Bool {
  var own = stat()
  var named = stat()
  return fstat(descriptor, &own) == 0 && lstat(path, &named) == 0
    && own.st_ino == named.st_ino && own.st_dev == named.st_dev
}

/// Why the last system call failed.
func reason() -> String {
  String(cString: strerror(errno))
}
