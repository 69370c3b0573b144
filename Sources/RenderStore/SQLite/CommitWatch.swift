internal import Glibc

/// Notices commits of other processes by their mark on the lock file, without asking in a loop.
public final class CommitWatch {
  /// Becomes readable after a commit; to be waited on, and emptied by `clear`.
  public let descriptor: Int32

  /// Watches the lock file; nil where the system has no watch left (inotify(7), limits).
  init?(lockFile: String) {
    descriptor = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
    guard descriptor >= 0 else { return nil }
    guard inotify_add_watch(descriptor, lockFile, UInt32(IN_MODIFY)) >= 0 else {
      close(descriptor)
      return nil
    }
  }

  deinit {
    close(descriptor)
  }

  /// Forgets the marks seen so far.
  public func clear() {
    withUnsafeTemporaryAllocation(byteCount: 4_096, alignment: 8) { buffer in
      while read(descriptor, buffer.baseAddress, buffer.count) == buffer.count {}
    }
  }
}
