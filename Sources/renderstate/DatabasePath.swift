internal import ArgumentParser
internal import Foundation

/// Which database is meant.
enum DatabasePath {
  static func chosen(_ option: String?) -> String {
    option ?? ProcessInfo.processInfo.environment["RENDERSTATE_DATABASE"] ?? "renderstate.sqlite"
  }

  static func validate(_ option: String?) throws {
    guard !chosen(option).isEmpty else {
      throw ValidationError("--database (or RENDERSTATE_DATABASE) must name a file.")
    }
  }

  /// - Throws: what to do instead where it is no file.
  static func chosenFile(_ option: String?) throws -> String {
    let path = chosen(option)
    guard !namesPostgreSQL(path) else { throw noPostgreSQL }
    return path
  }

  static func namesPostgreSQL(_ path: String) -> Bool {
    let path = path.lowercased()
    return path.hasPrefix("postgres://") || path.hasPrefix("postgresql://")
  }

  /// The URL is not repeated: it may hold a password.
  static let noPostgreSQL = CommandError(
    message: """
      this build has no PostgreSQL store; give a file path with --database (or \
      RENDERSTATE_DATABASE), like renders.sqlite
      """
  )
}
