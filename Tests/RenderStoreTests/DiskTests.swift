import Foundation
import GRDBSQLite
import Glibc
import RenderModel
import Support
import Testing

@testable import RenderStore

@Suite("The disk")
struct DiskTests {
  // MARK: - Checkpoints

  @Test("the write-ahead log stays small however much is written")
  func walIsBounded() throws {
    let bench = try Bench()
    let text = String(repeating: "x", count: 2_000)
    var largest: Int64 = 0
    var written: Int64 = 0
    for group in 0..<1_500 {
      let before = try bench.store.size().walBytes
      try bench.store.write { transaction throws(StoreError) in
        for number in 0..<10 {
          let id = "video \(group * 10 + number)"
          for command in [
            Command(id: id, action: .event(.start)),
            Command(id: id, action: .event(.fail), context: Context(error: text)),
          ] {
            _ = try transaction.apply(command, at: Bench.noon)
          }
        }
      }
      let after = try bench.store.size().walBytes
      written += max(0, after - before)
      largest = max(largest, after)
      bench.store.checkpointIfDue()
    }
    #expect(try bench.store.head() == 30_000)
    #expect(try bench.store.size().bytes > 64 << 20, "the load is several times the bound")
    #expect(largest < 24 << 20)
    #expect(try Shell(bench.path).rows("PRAGMA integrity_check") == ["\"ok\""])
  }

  @Test("a checkpoint is made when it is due, and only behind the gate")
  func checkpointBehindGate() throws {
    let bench = try Bench()
    let gate = try Gate(path: bench.path + ".lock")
    try bench.take(.start)
    bench.store.checkpointIfDue()
    let before = try fileBytes(bench.path)
    #expect(before < 4_096 * 4, "one commit calls for no checkpoint")
    try bench.store.fill(renders: 1_200)
    #expect(gate.enterIfFree())
    bench.store.checkpointIfDue()
    #expect(try fileBytes(bench.path) == before)
    gate.leave()
    bench.store.checkpointIfDue()
    #expect(try fileBytes(bench.path) == bench.store.size().bytes)
    #expect(gate.enterIfFree(), "a checkpoint leaves the gate")
    gate.leave()
  }

  @Test("a checkpoint that others at the gate have put off for long waits there for its turn")
  func overdueCheckpoint() throws {
    let folder = try TemporaryFolder()
    let gate = try Gate(path: folder.database + ".lock")
    let isWritten = Counter()
    let isTaken = Counter()
    let writer = Companion { [path = folder.database] () -> Int64? in
      guard let store = try? RenderStore.open(path), (try? store.fill(renders: 2_500)) != nil else {
        isWritten.add(1)
        return nil
      }
      isWritten.add(1)
      while isTaken.value == 0 { sched_yield() }
      store.checkpointIfDue()
      return try? store.size().bytes
    }
    while isWritten.value == 0 { sched_yield() }
    let before = try fileBytes(folder.database)
    #expect(gate.enterIfFree())
    isTaken.add(1)
    waitForSomebody(atTheGate: folder.database + ".lock")
    #expect(try fileBytes(folder.database) == before)
    gate.leave()
    let bytes = try #require(writer.outcome() ?? nil)
    #expect(bytes > 8_192 * 4_096)
    #expect(try fileBytes(folder.database) == bytes)
  }

  /// The length of a file, by its name: opening and closing it would drop SQLite's locks.
  private func fileBytes(_ path: String) throws -> Int64 {
    var status = stat()
    try #require(stat(path, &status) == 0)
    return Int64(status.st_size)
  }

  @Test("the log's file is longer than what it holds, and whoever recovers it reads just that")
  func reserve() throws {
    let bench = try Bench()
    try bench.take(.start)
    try bench.take(.progress)
    let walBytes = try bench.store.size().walBytes
    #expect(walBytes > 1 << 20)
    for _ in 0..<20 { try bench.take(.progress) }
    #expect(try bench.store.size().walBytes == walBytes, "small commits do not lengthen it")
    let crashed = try leftByCrash(of: bench)
    let recovered = try RenderStore.open(crashed.database)
    #expect(try recovered.head() == 22)
    #expect(
      try recovered.apply(Command(id: "video", action: .event(.fail)), at: Bench.noon).change?.seq
        == 23
    )
    #expect(try Shell(crashed.database).rows("PRAGMA integrity_check") == ["\"ok\""])
  }

  /// The files as a crash would leave them now.
  ///
  /// The store is done with: locks that this drops are nobody's.
  private func leftByCrash(of bench: Bench) throws -> TemporaryFolder {
    let crashed = try TemporaryFolder()
    for suffix in ["", "-wal"] {
      let file = URL(filePath: bench.path + suffix)
      try Data(contentsOf: file).write(to: URL(filePath: crashed.database + suffix))
    }
    return crashed
  }

  // MARK: - A broken disk

  @Test("what was refused because the log could not be synced does not come back after a crash")
  func failingSync() throws {
    let bench = try Bench(RenderStore.Options(synchronous: .full, busyTimeout: .seconds(120)))
    try bench.take(.start)
    var log: UnsafeMutablePointer<sqlite3_file>?
    sqlite3_file_control(bench.store.handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log)
    let file = try #require(log)
    let sound = try #require(file.pointee.pMethods)
    var broken = sound.pointee
    broken.xSync = { _, _ in SQLITE_IOERR }
    let crashed = try withUnsafePointer(to: broken) { methods in
      file.pointee.pMethods = methods
      defer { file.pointee.pMethods = sound }
      let text = String(repeating: "x", count: 8_000)
      for _ in 1...2 {
        #expect(throws: StoreError.self) {
          try bench.send(.event(.fail), Context(error: text))
        }
      }
      return try leftByCrash(of: bench)
    }
    let recovered = try RenderStore.open(crashed.database)
    #expect(try recovered.head() == 1)
    #expect(try Shell(crashed.database).rows("PRAGMA integrity_check") == ["\"ok\""])
  }

  // MARK: - A full disk

  @Test("a full disk refuses what it cannot keep, serves readers, and goes on when there is room")
  func full() throws {
    // Only root may mount one; the next test has the same rule for everybody.
    guard let disk = try SmallDisk() else { return try longestFile() }
    let store = try RenderStore.open(disk.path("store.sqlite"))
    try expectRefusalsUntilRoom(store, full: disk.fill, room: disk.makeRoom)
  }

  @Test("a database that may not grow refuses likewise")
  func longestFile() throws {
    let bench = try Bench()
    func limit(pages: Int) {
      sqlite3_exec(bench.store.handle, "PRAGMA max_page_count = \(pages)", nil, nil, nil)
    }
    try expectRefusalsUntilRoom(
      bench.store,
      full: { limit(pages: 1) },
      room: { limit(pages: 1_000_000) }
    )
  }

  private func expectRefusalsUntilRoom(
    _ store: RenderStore,
    full: () throws -> Void,
    room: () throws -> Void
  ) throws {
    let text = String(repeating: "x", count: 8_000)
    try store.apply(Command(id: "first", action: .event(.start)), at: Bench.noon)
    try full()
    var accepted = 0
    var refused: StoreError?
    // What lies free in the files already is used up first.
    while refused == nil, accepted < 10_000 {
      do throws(StoreError) {
        try store.write { transaction throws(StoreError) in
          let id = "video \(accepted)"
          let fail = Command(id: id, action: .event(.fail), context: Context(error: text))
          _ = try transaction.apply(Command(id: id, action: .event(.start)), at: Bench.noon)
          _ = try transaction.apply(fail, at: Bench.noon)
        }
        accepted += 1
      } catch {
        refused = error
      }
    }
    #expect(refused?.isRetryable == true, "\(String(describing: refused))")
    #expect(try store.head() == Int64(1 + 2 * accepted))
    #expect(try store.render("video \(accepted)").version == 0)
    #expect(try store.render("first").state == .queued)
    #expect(try store.log().count == 1 + 2 * accepted)
    store.checkpointIfDue()
    try room()
    let next = Command(id: "first", action: .event(.fail), context: Context(error: text))
    #expect(try store.apply(next, at: Bench.noon).change?.seq == Int64(2 + 2 * accepted))
    let shell = try Shell(store.path)
    #expect(try shell.rows("PRAGMA integrity_check") == ["\"ok\""])
  }
}

/// A filesystem of two megabytes; nil where none may be mounted.
private final class SmallDisk {
  private let folder: TemporaryFolder

  init?() throws {
    folder = try TemporaryFolder()
    guard mount("tmpfs", folder.url.path(), "tmpfs", 0, "size=2m") == 0 else { return nil }
  }

  deinit {
    _ = umount2(folder.url.path(), Int32(MNT_DETACH))
  }

  func path(_ name: String) -> String { folder.path(name) }

  func fill() throws {
    let descriptor = open(path("ballast"), O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    let page = [UInt8](repeating: 1, count: 4_096)
    while write(descriptor, page, page.count) > 0 {}
  }

  func makeRoom() throws {
    try #require(unlink(path("ballast")) == 0)
  }
}
