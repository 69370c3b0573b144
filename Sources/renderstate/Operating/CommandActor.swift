internal import Foundation
internal import Glibc

/// Who a command says it is, in the log.
enum CommandActor {
  /// `cli:` and the user; of somebody who works as another by sudo, the one who sits there.
  static let name = "cli:" + (sudoUser ?? userName ?? "\(getuid())")

  private static var sudoUser: String? {
    let name = ProcessInfo.processInfo.environment["SUDO_USER"] ?? ""
    return name.isEmpty ? nil : name.printable.cut(to: 100)
  }

  private static var userName: String? {
    getpwuid(getuid()).map { String(cString: $0.pointee.pw_name) }
  }
}
