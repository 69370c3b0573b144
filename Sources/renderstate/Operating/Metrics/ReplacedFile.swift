internal import Glibc

/// A file that others read while it is made anew: they see the old one or the new one, and never a part.
struct ReplacedFile {
  let path: String

  /// Writes a file beside it, which then takes its name.
  ///
  /// What others may do with it is as the umask says. After an error there is the old file, and nothing
  /// beside it.
  ///
  /// - Throws: `CommandError`.
  func write(_ bytes: [UInt8]) throws {
    let temporary = "\(path).\(getpid()).tmp"
    // As what it is to be read by may run as another user.
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o666)
    guard descriptor >= 0 else { throw failure(errno) }
    var error: Int32? = writeAll(bytes[...], to: descriptor) ? nil : errno
    if close(descriptor) != 0 { error = error ?? errno }
    if error == nil, rename(temporary, path) != 0 { error = errno }
    guard let error else { return }
    unlink(temporary)
    throw failure(error)
  }

  private func failure(_ error: Int32) -> CommandError {
    let advice =
      switch error {
      case ENOENT, ENOTDIR: "; make its folder, for the user who runs this"
      case EACCES, EPERM, EROFS: "; let the user who runs this write into its folder"
      case ENOSPC, EDQUOT: "; make room there"
      case EISDIR: "; name a file"
      default: ""
      }
    return CommandError(
      message: "cannot write \(path.printable): \(String(cString: strerror(error)))\(advice)"
    )
  }
}
