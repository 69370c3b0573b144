internal import Glibc

/// `F_OFD_GETLK`, `F_OFD_SETLK` and `F_OFD_SETLKW`: locks of the open file description, which closing
/// another descriptor leaves alone (fcntl(2)).
let getOpenFileLock: Int32 = 36
let setOpenFileLock: Int32 = 37
let setOpenFileLockWaiting: Int32 = 38

/// Sets or asks for a lock on some bytes of a file, on all of them without a range.
///
/// - Returns: what fcntl(2) made of the lock; nil where it failed.
func openFileLock(
  _ command: Int32,
  _ kind: Int16,
  on descriptor: Int32,
  bytes: Range<Int>? = nil
) -> Glibc.flock? {
  var lock = Glibc.flock()
  lock.l_type = kind
  lock.l_whence = Int16(SEEK_SET)
  if let bytes {
    lock.l_start = bytes.lowerBound
    lock.l_len = bytes.count
  }
  while fcntl(descriptor, command, &lock) != 0 {
    guard errno == EINTR else { return nil }
  }
  return lock
}
