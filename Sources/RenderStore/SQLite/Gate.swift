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
final class Gate: @unchecked Sendable {
  private enum Errand {
    case none
    /// The gatekeeper is to wait for the gate.
    case wanted
    /// It has it, for the one who asked.
    case granted
    /// Who asked went away; it is to be left as soon as it is had.
    case abandoned
  }

  private let descriptor: Int32
  private let condition = NSCondition()
  private var errand = Errand.none
  private var hasKeeper = false
  private var isClosed = false

  /// Opens the lock file, made if it is not there, with mode 0600.
  init(path: String) throws(StoreOpenError) {
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
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

  /// Passes the gate if it is free.
  func enterIfFree() -> Bool {
    let isKeeperBusy = condition.withLock { errand != .none }
    guard !isKeeperBusy, passTurnstile(setOpenFileLock) else { return false }
    defer { leaveTurnstile() }
    return flock(descriptor, LOCK_EX | LOCK_NB) == 0
  }

  /// Passes the gate, or waits for it.
  ///
  /// - Returns: false if it was not free until the deadline.
  func enter(until deadline: Date) -> Bool {
    if enterIfFree() { return true }
    return condition.withLock {
      errand = .wanted
      employKeeper()
      condition.broadcast()
      while errand != .granted {
        guard condition.wait(until: deadline) || errand == .granted else {
          errand = .abandoned
          return false
        }
      }
      errand = .none
      return true
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

  // MARK: - The gatekeeper

  /// A thread of its own waits where the wait must end in time: `flock` knows no timeout.
  private func employKeeper() {
    guard !hasKeeper else { return }
    hasKeeper = true
    let keeper = Thread { [self] in
      while true {
        condition.withLock {
          while errand != .wanted { condition.wait() }
        }
        while !passTurnstile(setOpenFileLockWaiting) {}
        while flock(descriptor, LOCK_EX) != 0 {}
        leaveTurnstile()
        condition.withLock {
          if errand == .abandoned {
            errand = .none
            leave()
          } else {
            errand = .granted
          }
          condition.broadcast()
        }
      }
    }
    keeper.name = "gatekeeper"
    keeper.start()
  }

  private func passTurnstile(_ command: Int32) -> Bool {
    setTurnstile(command, Int16(F_WRLCK))
  }

  private func leaveTurnstile() {
    _ = setTurnstile(setOpenFileLock, Int16(F_UNLCK))
  }

  private func setTurnstile(_ command: Int32, _ kind: Int16) -> Bool {
    var lock = Glibc.flock()
    lock.l_type = kind
    lock.l_whence = Int16(SEEK_SET)
    return fcntl(descriptor, command, &lock) == 0
  }
}

/// `F_OFD_SETLK` and `F_OFD_SETLKW`: locks of the open file description, which closing another
/// descriptor leaves alone (fcntl(2)).
private let setOpenFileLock: Int32 = 37
private let setOpenFileLockWaiting: Int32 = 38
