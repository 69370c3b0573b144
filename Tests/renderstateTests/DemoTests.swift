import Foundation
import JSON
import Support
import Testing

@testable import renderstate

@Suite("renderstate demo")
struct DemoTests {
  @Test("with ffmpeg it tells its story in plain lines, and leaves its MP4s and nothing else")
  func withFFmpeg() throws {
    let output = try TemporaryFolder()
    let demo = try DemoRun(["--output", output.url.path(percentEncoded: false)])
    let text = demo.textToEnd()
    #expect(demo.exitCode() == 0)
    #expect(demo.errors() == "")
    expectStory(in: text)
    #expect(text.contains("intro.mov: No such file or directory"))
    for name in ["renderstate-demo-trailer.mp4", "renderstate-demo-intro.mp4"] {
      #expect(text.contains("file://\(output.path(name))"))
      let attributes = try FileManager.default.attributesOfItem(atPath: output.path(name))
      #expect(try #require(attributes[.size] as? Int) > 0)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: output.url.path).count == 2)
    try demo.folder.expectNothingLeft()
  }

  @Test("without ffmpeg it says so in one line, and tells the same story of a real sidecar")
  func withoutFFmpeg() throws {
    let demo = try DemoRun([], path: "/nowhere")
    let text = demo.textToEnd()
    #expect(demo.exitCode() == 0)
    #expect(demo.errors() == "")
    let lines = text.split(separator: "\n").filter { $0.contains("apt-get install ffmpeg") }
    #expect(lines.count == 1)
    expectStory(in: text)
    #expect(text.contains("No MP4 was made"))
    try demo.folder.expectNothingLeft()
  }

  @Test("an output folder that is none is a clear error, and nothing is started")
  func unusableOutput() throws {
    let folder = try TemporaryFolder()
    let file = folder.path("file")
    try Data().write(to: URL(filePath: file))
    for (output, reason) in [
      (folder.path("missing"), "there is no folder"),
      (file, "is not a folder"),
      // Nobody can make a file there, not even root.
      ("/proc", "nothing can be written to /proc"),
    ] {
      let demo = try DemoRun(["--output", output])
      #expect(demo.textToEnd() == "")
      #expect(demo.exitCode() == 1)
      let errors = demo.errors()
      #expect(errors.contains(reason) && errors.contains(output) && errors.contains("--output"))
      #expect(errors.split(separator: "\n").count == 1)
      try demo.folder.expectNothingLeft()
    }
  }

  @Test("Ctrl-C in the middle leaves no process and no file", arguments: [SIGINT, SIGTERM])
  func interrupted(signal: Int32) throws {
    let demo = try DemoRun([])
    let text = demo.text(upTo: "intro    rendering")
    #expect(text.contains("rendering"))
    demo.send(signal)
    _ = demo.textToEnd()
    #expect(demo.exitCode() == 128 + signal)
    #expect(demo.errors() == "renderstate: stopped; nothing is left running or lying about\n")
    try demo.folder.expectNothingLeft()
  }

  @Test("a demo that nobody reads any more ends, and leaves nothing")
  func unread() throws {
    let demo = try DemoRun([], path: "/nowhere")
    _ = demo.text(upTo: "queued")
    demo.closeOutput()
    #expect(demo.exitCode() == 128 + SIGPIPE)
    try demo.folder.expectNothingLeft()
  }

  @Test("three bars fill their width exactly, however wide it is", arguments: [57, 59, 99, 150])
  func cards(width: Int) throws {
    let change = StatusChange(
      json: try JSON(
        reading: """
          {"seq":1,"id":"intro","event":"fail","previousState":"rendering","state":"failed",\
          "progress":33.3,"error":"intro.mov: No such file or directory","run":1,"attempt":2,\
          "actor":"route:/api/render","at":"2026-11-22T12:00:00.000Z"}
          """
      )
    )
    let lines = Cards(width: width, paint: Paint(isOn: false))
      .lines([("trailer", nil), ("intro", change), ("credits", change)])
    #expect(lines.allSatisfy { $0.text.count == $0.width && $0.width <= width })
    #expect(lines.contains { $0.text.contains(" 33 %") })
  }

  @Test("what finds no room in a table stands below its row, and no line is too long")
  func table() {
    let table = Table(
      columns: [
        Table.Column(title: "seq", isNumber: true), Table.Column(title: "event"),
        Table.Column(title: "actor"), Table.Column(title: "what", leastWidth: 10),
      ],
      rows: [Table.Row(cells: ["7", "fail", "ffmpeg", "No such file or directory"])]
    )
    let paint = Paint(isOn: false)
    #expect(
      table.lines(width: nil, paint) == [
        "seq  event  actor   what", "  7  fail   ffmpeg  No such file or directory",
      ]
    )
    #expect(
      table.lines(width: 20, paint) == [
        "seq  event  actor", "  7  fail   ffmpeg", "     No such file o…",
      ]
    )
    #expect(
      table.lines(width: 12, paint) == ["seq  event", "  7  fail", "     ffmpeg…"]
    )
  }

  @Test("wide characters take two columns, and nothing is cut in the middle of one")
  func wideCharacters() {
    for (text, columns) in [("abc", 3), ("é…→", 3), ("e\u{301}", 1), ("映画", 4), ("🎬", 2), ("👩‍👩‍👧", 2)]
    {
      #expect(text.columns == columns, "\(text)")
    }
    #expect("映画".padded(to: 6) == "映画  " && "🎬".paddedLeft(to: 4) == "  🎬")
    #expect("映画館".cut(to: 6) == "映画館" && "映画館".cut(to: 5) == "映画…")
    #expect("映画館".cut(to: 4) == "映…" && "abc".cut(to: 2) == "a…" && "abc".cut(to: 0) == "…")
  }

  private func expectStory(in text: String) {
    #expect(!text.contains("\u{1B}"))
    for beat in [
      "trailer  completed", "intro    failed", "second process", "loses: conflict (-32002)",
      #""code":-32002"#, #""kind":"conflict""#, "attempt 2", "intro    completed",
      "credits  failed     Cancelled by the viewer", "told twice, done once",
      "The history of trailer", "The history of intro", "The history of credits",
      "failed → queued", "rendering → completed", "route:/api/render", "What to try next",
      "serve --database",
    ] {
      #expect(text.contains(beat), "\(beat) is not told")
    }
  }
}

/// A demo as a process with pipes, and a temporary folder of its own.
private final class DemoRun {
  let folder: TemporaryFolder
  private let process = Process()
  private let output = Pipe()
  private let error = Pipe()

  init(_ arguments: [String], path: String? = nil) throws {
    folder = try TemporaryFolder()
    var environment = ProcessInfo.processInfo.environment
    environment["TMPDIR"] = folder.realPath
    if let path { environment["PATH"] = path }
    process.environment = environment
    process.executableURL = URL(
      filePath: environment["RENDERSTATE_BIN"] ?? Self.builtExecutable
    )
    process.arguments = ["demo"] + arguments
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = error
    try process.run()
  }

  private static var builtExecutable: String {
    URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
      .appending(path: "renderstate").path
  }

  func textToEnd() -> String {
    String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
  }

  /// Reads until this has been told, or the end.
  func text(upTo told: String) -> String {
    var text = ""
    while !text.contains(told) {
      let data = output.fileHandleForReading.availableData
      guard !data.isEmpty else { break }
      text += String(decoding: data, as: UTF8.self)
    }
    return text
  }

  func closeOutput() {
    try? output.fileHandleForReading.close()
  }

  func send(_ signal: Int32) {
    kill(process.processIdentifier, signal)
  }

  func exitCode() -> Int32 {
    process.waitUntilExit()
    return process.terminationStatus
  }

  func errors() -> String {
    String(decoding: error.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
  }
}
