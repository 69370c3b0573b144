import Foundation
import Glibc
import Support
import Testing

@testable import RenderStore

@Suite("Files that are made whole")
struct UpkeepTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  private var files: [String] {
    get throws { try FileManager.default.contentsOfDirectory(atPath: folder.url.path()).sorted() }
  }

  @Test("it has its name when it is published, and no name when it was given up")
  func publishing() throws {
    let file = try PartialFile(for: folder.path("a"))
    #expect(try files == ["a.renderstate-partial"])
    try file.publish()
    #expect(try files == ["a"])
    #expect(!file.abandon(), "it is too late")
    #expect(try files == ["a"])
    let other = try PartialFile(for: folder.path("b"))
    #expect(other.abandon() && other.abandon())
    #expect(try files == ["a"])
    #expect(throws: UpkeepError.self) { try other.publish() }
  }

  @Test("who would write it when it was given up is refused, and does not make it anew")
  func givenUp() throws {
    let database = folder.path("video.sqlite")
    try RenderStore.open(database).close()
    let reader = try StoreReader(path: database)
    defer { reader.close() }
    let before = try files
    let file = try PartialFile(for: folder.path("a"))
    file.abandon()
    for error in [
      #expect(throws: UpkeepError.self) { try reader.copy(into: file) },
      #expect(throws: UpkeepError.self) { try StoreImport(into: file) },
    ] {
      #expect(error?.description == "\(file.destination) was given up")
    }
    #expect(try files == before)
  }

  @Test("what came under its name meanwhile is not written over")
  func overtaken() throws {
    let file = try PartialFile(for: folder.path("a"))
    try Data("mine".utf8).write(to: URL(filePath: folder.path("a")))
    #expect(throws: UpkeepError.self) { try file.publish() }
    file.abandon()
    #expect(try files == ["a"])
    #expect(try Data(contentsOf: URL(filePath: folder.path("a"))) == Data("mine".utf8))
  }

  @Test(
    "one that is being made is left alone, and nobody else makes it; one left behind is removed"
  )
  func leftBehind() throws {
    let alive = try PartialFile(for: folder.path("alive"))
    // Its lock goes with its descriptor, as with a process that was killed.
    _ = try PartialFile(for: folder.path("dead"))
    #expect(try files == ["alive.renderstate-partial", "dead.renderstate-partial"])
    let next = try PartialFile(for: folder.path("next"))
    #expect(try files == ["alive.renderstate-partial", "next.renderstate-partial"])
    #expect(throws: UpkeepError.self) { try PartialFile(for: folder.path("alive")) }
    try alive.publish()
    try next.publish()
    #expect(try files == ["alive", "next"])
  }

  @Test("SQLite's versions with the WAL-reset bug are known")
  func versions() {
    for (version, isBad) in [
      (3_006_023, false), (3_007_000, true), (3_040_001, true), (3_044_005, true),
      (3_044_006, false), (3_044_009, false), (3_045_000, true), (3_050_006, true),
      (3_050_007, false), (3_051_000, true), (3_051_002, true), (3_051_003, false),
      (3_052_000, false),
    ] as [(Int32, Bool)] {
      #expect(StoreReader.hasWALResetBug(version) == isBad, "\(version)")
    }
  }
}
