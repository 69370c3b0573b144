internal import Foundation
internal import Glibc
internal import Synchronization

/// A temporary folder and the processes that work in it: when it is closed, all of them are gone.
final class Workplace: Sendable {
  let folder: URL
  private let state = Mutex(State())

  private struct State {
    var isClosed = false
    var children: [ChildProcess] = []
  }

  /// Makes the folder in another one, with a name of its own.
  ///
  /// - Throws: a `CommandError` that ends in the advice.
  init(in parent: URL, name: String, advice: String) throws {
    folder = try Self.makeFolder(in: parent, name: name, advice: advice)
  }

  /// The path of a file in the folder.
  func path(_ name: String) -> String {
    folder.appending(path: name).fileSystemPath
  }

  /// Starts a process; `log` names the file for its stderr.
  func start(_ executable: String, _ arguments: [String], log: String) throws -> ChildProcess {
    try state.withLock { state in
      try Self.checkOpen(state)
      let child = try ChildProcess(executable, arguments, log: folder.appending(path: log))
      state.children.append(child)
      return child
    }
  }

  /// Runs what makes or removes files in the folder; not at the same time as `close`, nor after it.
  func whileOpen(_ body: () throws -> Void) throws {
    try state.withLock { state in
      try Self.checkOpen(state)
      try body()
    }
  }

  /// Ends what still runs and removes the folder.
  func close() {
    let children = state.withLock { state in
      state.isClosed = true
      return state.children
    }
    for child in children { child.terminate() }
    for child in children { child.waitForEnd(seconds: 3) }
    try? FileManager.default.removeItem(at: folder)
  }

  private static func checkOpen(_ state: borrowing State) throws {
    guard !state.isClosed else { throw CommandError(message: "the command is ending") }
  }

  /// Makes a folder that only this user may read, named like this and some letters more.
  static func makeFolder(in parent: URL, name: String, advice: String) throws -> URL {
    var template = Array(parent.appending(path: "\(name)-XXXXXX").fileSystemPath.utf8CString)
    guard mkdtemp(&template) != nil else {
      let reason = String(cString: strerror(errno))
      throw CommandError(
        message: "no folder can be made in \(parent.fileSystemPath): \(reason); \(advice)"
      )
    }
    let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    return URL(filePath: path, directoryHint: .isDirectory)
  }
}
