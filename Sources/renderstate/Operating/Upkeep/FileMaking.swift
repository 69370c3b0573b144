internal import ArgumentParser
internal import JSON
internal import RenderStore

/// The work of making a file, which whoever asked for it may stop: then nothing of it is left.
enum FileMaking {
  /// Runs the body on a thread of its own; it has to publish the file.
  ///
  /// - Throws: the exit code for what went wrong, which has been told on stderr.
  static func run<File: UnpublishedFile, Made: Sendable>(
    _ begin: () throws -> File,
    _ body: @escaping @Sendable (File, WorkProgress) throws -> Made
  ) throws -> Made {
    OwnedOutput.openStandardStreams()
    let work = StoppableWork()
    let progress = WorkProgress()
    let file = try ExitCode.onFailure(begin)
    let outcome = Promise<Result<Made, any Error>>()
    let ending = work.run {
      let result = Result { try body(file, progress) }
      outcome.put(result)
      _ = try result.get()
    }
    progress.settle()
    // What has got its name is there, whoever wanted it stopped since.
    if file.abandon() { try ending.throwUnlessDone() }
    return try ExitCode.onFailure { try outcome.wait().get() }
  }
}

/// A file that is being made.
protocol UnpublishedFile: Sendable {
  /// Removes what has been made, unless it stands in its place already.
  ///
  /// - Returns: whether there is nothing of it, and never will be.
  func abandon() -> Bool
}

extension PartialFile: UnpublishedFile {}

extension DatabaseReplacement: UnpublishedFile {}

/// A database that was copied to a file.
struct CopiedDatabase: Sendable {
  let source: String
  let path: String
  let contents: StoreContents
  let bytes: Int64

  init(from source: String, to file: PartialFile, _ contents: StoreContents) {
    self.source = source
    path = file.destination
    self.contents = contents
    bytes = file.bytes
  }

  /// Like `12,345 renders up to seq 67,890, 12.3 MiB`.
  var extent: String { "\(contents.told), \(size(ofBytes: bytes))" }

  func writeMembers(to writer: inout JSONWriter) {
    writer.key("path")
    writer.string(path)
    writer.key("source")
    writer.string(source)
    writer.key("bytes")
    writer.integer(bytes)
    contents.writeMembers(to: &writer)
  }
}

extension StoreContents {
  /// Like `12,345 renders up to seq 67,890`.
  var told: String {
    "\(counted(renders, "render")) up to seq \(grouped(seq))"
  }

  func writeMembers(to writer: inout JSONWriter) {
    writer.key("renders")
    writer.integer(renders)
    writer.key("seq")
    writer.integer(seq)
  }
}
