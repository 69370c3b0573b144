internal import Foundation
internal import Glibc

/// The right to put another file in the place of a database: while it is held, nobody has the database
/// open, and nobody can open it.
///
/// Who has it open is told by SQLite's own lock: in the mode of the write-ahead log, each connection
/// holds a shared lock on the file as long as it is open. The files beside it tell nothing; a killed
/// process leaves them behind. Who would open it waits at the gate, or for that lock.
public final class DatabaseReplacement: Sendable {
  /// The bytes that SQLite locks: pending, reserved, shared (sqlite.org/lockingv3.html).
  private static let lockedBytes = 0x4000_0000..<0x4000_0000 + 512
  /// What belongs to a database and is a file of its own: committed changes that are not in it yet.
  private static let logSuffixes = ["-wal", "-journal"]

  /// The database, with all links resolved.
  public let path: String
  /// What is to stand there.
  public let file: PartialFile
  private let gate: Gate
  /// The file that is to be replaced, locked; nil if there is none.
  private let descriptor: Int32?

  /// Takes hold of the place of a database; there need not be one.
  ///
  /// - Throws: one line that says who is in the way, and what to do.
  public init(
    of path: String,
    waiting: Duration = .seconds(5)
  ) throws(UpkeepError) {
    do throws(StoreOpenError) {
      try DatabaseFile.checkName(path)
      self.path = try DatabaseFile.resolve(path)
      gate = try Gate(path: self.path + RenderStore.lockSuffix)
    } catch {
      throw UpkeepError(error.description)
    }
    do throws(StoreError) {
      try gate.enter(until: Date(timeIntervalSinceNow: waiting / .seconds(1)))
    } catch {
      throw UpkeepError(
        "\(self.path) is in use: another process is in its gate; stop the sidecars and try again"
      )
    }
    do throws(UpkeepError) {
      descriptor = try Self.lock(self.path)
      file = try PartialFile(for: self.path, isReplacing: true)
    } catch {
      gate.leave()
      throw error
    }
  }

  deinit {
    if let descriptor { close(descriptor) }
    gate.leave()
  }

  /// Whether there is a database to be replaced.
  public var isReplacing: Bool { descriptor != nil }

  /// Whether a path leads to that database.
  public func replaces(_ path: String) -> Bool {
    var own = stat()
    var named = stat()
    guard let descriptor, fstat(descriptor, &own) == 0, stat(path, &named) == 0 else {
      return false
    }
    return own.st_ino == named.st_ino && own.st_dev == named.st_dev
  }

  private static func lock(_ path: String) throws(UpkeepError) -> Int32? {
    let descriptor = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard descriptor >= 0 else {
      if errno == ENOENT { return nil }
      throw UpkeepError("\(path) cannot be replaced: \(reason())")
    }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw UpkeepError("\(path) is not a regular file; name the database with --database")
    }
    guard
      openFileLock(setOpenFileLock, Int16(F_WRLCK), on: descriptor, bytes: lockedBytes) != nil
    else {
      let who = holder(of: descriptor)
      close(descriptor)
      throw UpkeepError(
        "\(path) is in use by \(who); stop the sidecars and whoever else has it open, and try again"
      )
    }
    return descriptor
  }

  /// Who has the file open, as far as the system tells it.
  private static func holder(of descriptor: Int32) -> String {
    let lock = openFileLock(getOpenFileLock, Int16(F_WRLCK), on: descriptor, bytes: lockedBytes)
    guard let pid = lock?.l_pid, pid > 0 else { return "another process" }
    let name = ProcFile.text("/proc/\(pid)/comm")?.split(separator: "\n").first
    return "process \(pid)" + (name.map { " (\($0))" } ?? "")
  }

  /// Puts the file, which has to be whole, in the place of the database.
  ///
  /// The database is kept aside, with what was committed and is not in it yet; the file gets its mode
  /// and, where root does it, its owner.
  ///
  /// A process killed in between leaves the database as it was, but with two names: nobody opens
  /// such a one, so that no sidecar goes on without its last changes, or begins a new one.
  ///
  /// - Parameter suffix: what is added to the name of the old one.
  /// - Returns: where the old one is kept; nil if there was none.
  /// - Throws: one line that says what went wrong; then the database is as it was.
  public func publish(keepingOldWith suffix: String) throws(UpkeepError) -> String? {
    let kept = path + suffix
    try file.publish { () throws(UpkeepError) in
      try makeLikeOld()
      var undoing: [() -> Void] = []
      do throws(UpkeepError) {
        if isReplacing {
          guard link(path, kept) == 0 else {
            throw UpkeepError(
              "\(path) cannot be kept as \(kept): \(reason()); move it away yourself"
            )
          }
          undoing.append { unlink(kept) }
        }
        for logSuffix in Self.logSuffixes {
          let (log, keptLog) = (path + logSuffix, kept + logSuffix)
          guard rename(log, keptLog) == 0 else {
            if errno == ENOENT { continue }
            throw UpkeepError("\(log) cannot be moved away: \(reason())")
          }
          undoing.append { rename(keptLog, log) }
        }
        guard unlink(path + "-shm") == 0 || errno == ENOENT else {
          throw UpkeepError("\(path)-shm cannot be removed: \(reason())")
        }
        guard rename(file.path, path) == 0 else {
          throw UpkeepError("\(path) cannot be replaced: \(reason())")
        }
      } catch {
        for undo in undoing.reversed() { undo() }
        throw error
      }
    }
    return isReplacing ? kept : nil
  }

  /// Gives the file the mode and the owner of the one it replaces.
  private func makeLikeOld() throws(UpkeepError) {
    var old = stat()
    guard let descriptor, fstat(descriptor, &old) == 0 else { return }
    guard fchmod(file.descriptor, old.st_mode & 0o777) == 0,
      geteuid() != 0 || fchown(file.descriptor, old.st_uid, old.st_gid) == 0
    else {
      throw UpkeepError("\(path): the new file cannot get the owner of the old one: \(reason())")
    }
  }
}
