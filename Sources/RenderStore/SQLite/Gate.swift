internal import Foundation
internal import Glibc

/// The writer's gate: one lock file that every write group, every checkpoint and every closing of a
/// connection holds, in all processes on one database.
///
/// SQLite before 3.51.3 can lose commits when a checkpoint overlaps another connection's commit
/// (sqlite.org/wal.html#walresetbug), and its busy handler lets one process starve the others.
///
/// `flock` alone hands the lock to whoever asks first after its release, which is mostly who had it.
/// So there is a turnstile before the gate, an open file description lock on the same file: who waits
/// at the gate stands in the turnstile, and who leaves the gate must pass the turnstile again.
///
/// Whoever passes makes sure that the file still bears its name: one that was deleted or replaced
/// under way is let go, and everybody meets again at the new one.
final class Gate: @unchecked Sendable {
  private enum Errand {
    case none
    /// The gatekeeper is to wait for the gate.
    case wanted
    /// It has it, for the one who asked.
    case granted
    /// The system does not let it have it.
    case failed
    /// Who asked went away; it is to be left as soon as it is had.
    case abandoned
  }

  private let path: String
  private let descriptor: Int32
  private let condition = NSCondition()
  private var errand = Errand.none
  private var hasKeeper = false

  /// Opens the lock file, made if it is not there, with mode 0600.
  init(path: String) throws(StoreOpenError) {
    self.path = path
    descriptor = Self.open(path)
    guard descriptor >= 0 else {
      let reason = String(cString: strerror(errno))
      throw StoreOpenError(
        "cannot open the lock file \(path): \(reason); the folder must be writable for this user"
      )
    }
  }

  deinit {
    close(descriptor)
  }

  private static func open(_ path: String) -> Int32 {
    let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    if descriptor >= 0, geteuid() == 0 { giveToOwnerOfDatabase(descriptor, path) }
    return descriptor
  }

  /// What root has made belongs to the user whom the database belongs to, as SQLite does it with its
  /// own files: else that user's sidecars could not open it.
  private static func giveToOwnerOfDatabase(_ descriptor: Int32, _ path: String) {
    var own = stat()
    var database = stat()
    guard fstat(descriptor, &own) == 0,
      stat(String(path.dropLast(RenderStore.lockSuffix.count)), &database) == 0,
      own.st_uid != database.st_uid
    else { return }
    _ = fchown(descriptor, database.st_uid, database.st_gid)
  }

  /// Passes the gate if it is free.
  func enterIfFree() -> Bool {
    let isKeeperBusy = condition.withLock { errand != .none }
    return !isKeeperBusy && pass(isWaiting: false)
  }

  /// Passes the gate, or waits for it until the deadline.
  func enter(until deadline: Date) throws(StoreError) {
    if enterIfFree() { return }
    let outcome = condition.withLock {
      errand = .wanted
      employKeeper()
      while errand == .wanted {
        guard condition.wait(until: deadline) || errand != .wanted else {
          errand = .abandoned
          return Errand.abandoned
        }
      }
      defer { errand = .none }
      return errand
    }
    switch outcome {
    case .granted: return
    case .failed:
      throw .unavailable(reason: "the lock file \(path) cannot be locked", isRetryable: true)
    case .none, .wanted, .abandoned: throw .busy
    }
  }

  func leave() {
    flock(descriptor, LOCK_UN)
  }

  /// Tells the processes that watch the lock file of a commit (`CommitWatch`).
  func announceCommit() {
    var byte: UInt8 = 0
    _ = pwrite(descriptor, &byte, 1, 0)
  }

  /// A thread of its own waits where the wait must end in time: `flock` knows no timeout.
  ///
  /// It outlives an errand that was abandoned, and takes the next one over.
  private func employKeeper() {
    guard !hasKeeper else { return }
    hasKeeper = true
    let keeper = Thread { [self] in
      let isPassed = pass(isWaiting: true)
      condition.withLock {
        if errand == .abandoned {
          errand = .none
          if isPassed { leave() }
        } else {
          errand = isPassed ? .granted : .failed
        }
        hasKeeper = false
        condition.broadcast()
      }
    }
    keeper.name = "gatekeeper"
    keeper.start()
  }

  // MARK: - The locks

  private func pass(isWaiting: Bool) -> Bool {
    repeat {
      guard isWaiting ? lockByTurns() : isTurnstileFree && lock(isWaiting: false) else {
        return false
      }
      if bearsItsName(descriptor, path) { return true }
    } while reopen()
    leave()
    return false
  }

  private func lockByTurns() -> Bool {
    guard setTurnstile(setOpenFileLockWaiting, Int16(F_WRLCK)) != nil else { return false }
    defer { _ = setTurnstile(setOpenFileLock, Int16(F_UNLCK)) }
    return lock(isWaiting: true)
  }

  /// Whether nobody waits at the gate.
  private var isTurnstileFree: Bool {
    setTurnstile(getOpenFileLock, Int16(F_WRLCK))?.l_type == Int16(F_UNLCK)
  }

  private func lock(isWaiting: Bool) -> Bool {
    while flock(descriptor, isWaiting ? LOCK_EX : LOCK_EX | LOCK_NB) != 0 {
      guard errno == EINTR else { return false }
    }
    return true
  }

  /// - Returns: what fcntl(2) made of the lock; nil where it failed.
  private func setTurnstile(_ command: Int32, _ kind: Int16) -> Glibc.flock? {
    openFileLock(command, kind, on: descriptor)
  }

  /// Lets the file go, with its locks, for the one that bears the name now.
  private func reopen() -> Bool {
    let successor = Self.open(path)
    guard successor >= 0 else { return false }
    defer { close(successor) }
    return dup2(successor, descriptor) >= 0 && fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0
  }
}
