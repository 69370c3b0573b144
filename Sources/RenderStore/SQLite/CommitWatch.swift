internal import Glibc

/// Notices commits of other processes by their mark on the lock file, without asking in a loop.
public final class CommitWatch {
  /// Becomes readable after a commit; to be waited on, and emptied by `clear`.
  public let descriptor: Int32
  private let lockFile: String

  /// Watches the lock file; nil where the system has no watch left (inotify(7), limits).
  init?(lockFile: String) {
    descriptor = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
    guard descriptor >= 0 else { return nil }
    self.lockFile = lockFile
    guard watch() else { return nil }
  }

  deinit {
    close(descriptor)
  }

  /// Forgets the marks seen so far.
  public func clear() {
    withUnsafeTemporaryAllocation(byteCount: 4_096, alignment: 8) { buffer in
      while read(descriptor, buffer.baseAddress, buffer.count) == buffer.count {}
    }
    // The lock file may have been replaced: its successor is watched from now on.
    _ = watch()
  }

  private func watch() -> Bool {
    let events = UInt32(IN_MODIFY) | UInt32(IN_ATTRIB) | UInt32(IN_MOVE_SELF)
    return inotify_add_watch(descriptor, lockFile, events) >= 0
  }
}
