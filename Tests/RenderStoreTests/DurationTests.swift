import Foundation
import RenderModel
import Support
import Testing

@testable import RenderStore

@Suite("Durations in the store")
struct DurationTests {
  private let bench: Bench

  init() throws {
    bench = try Bench()
  }

  private func totals() throws -> [AttemptDuration: [Int64]] {
    try bench.store.durations().histograms.mapValues { [$0.count, $0.totalMilliseconds] }
  }

  /// Renders to a state, with so many milliseconds between the events.
  private func render(_ id: String, _ events: Event..., every milliseconds: Int64) throws {
    for event in events {
      try bench.send(.event(event), to: id)
      bench.now = bench.now.advanced(by: milliseconds)
    }
  }

  @Test("they add up over groups and restarts")
  func sums() throws {
    #expect(try totals().isEmpty)
    try render("a", .start, .progress, .progress, .complete, every: 40)
    try bench.reopen()
    try render("b", .start, .progress, .complete, every: 4_000)
    try render("c", .start, .cancel, every: 40)
    #expect(
      try totals() == [.queue: [3, 4_080], .completed: [2, 8_120], .cancelled: [1, 40]]
    )
    let completed = try bench.store.durations()[.completed]
    #expect(completed.buckets.filter { $0.count > 0 }.map(\.bound) == [250, 10_000])
  }

  @Test("a change by SQL counts like one of the program")
  func bySQL() throws {
    try render("a", .start, .progress, every: 40)
    let shell = try Shell(bench.path)
    try shell.run(
      """
      UPDATE renders SET state = 'completed', event = 'complete', version = version + 1;
      UPDATE renders SET state = 'queued', event = 'start', run = 2, attempt = 1, version = version + 1;
      UPDATE renders SET state = 'failed', event = 'fail', error = '', version = version + 1;
      """
    )
    let durations = try bench.store.durations()
    #expect(durations.histograms.mapValues(\.count) == [.queue: 2, .completed: 1, .failed: 1])
  }

  @Test("the buckets of the trigger are those of the program")
  func boundsInSQL() throws {
    try bench.take(.start)
    let shell = try Shell(bench.path)
    // It sees to it that only changes of renders are logged, at the time that SQL has.
    try shell.run("DROP TRIGGER transitions_append")
    var expected = Histogram()
    for time in Histogram.bounds.flatMap({ [$0, $0 + 1] }) {
      try shell.run(
        """
        INSERT INTO transitions (seq, id, event, previous_state, state, progress, run, attempt,
          version, at, action, previous_seq)
        SELECT max(seq) + 1, 'video', 'cancel', 'rendering', 'failed', 0, 1, 1,
          2, \(bench.now.milliseconds + time), 'cancel', 1 FROM transitions
        """
      )
      expected.add(time, count: 1, totalMilliseconds: time)
    }
    #expect(try bench.store.durations()[.cancelled] == expected)
  }

  @Test("a clock that is set between start and end does not count")
  func setClock() throws {
    func cancel(_ id: String, afterSettingTheClockBy jump: Int64) throws {
      func write(_ event: Event, setBy jump: Int64, after milliseconds: Int64) throws {
        let reading = ClockReading(
          wall: Bench.noon.advanced(by: jump + milliseconds),
          sinceBoot: milliseconds,
          boot: id
        )
        let command = Command(id: id, action: .event(event))
        try bench.store.write { transaction throws(StoreError) in
          try transaction.follow(reading)
          _ = try transaction.apply(command, at: reading.wall)
        }
      }
      try write(.start, setBy: 0, after: 0)
      try write(.cancel, setBy: jump, after: 40)
    }
    try cancel("set back", afterSettingTheClockBy: -3_600_000)
    try cancel("set forward", afterSettingTheClockBy: 3_600_000)
    #expect(try totals() == [.queue: [2, 80], .cancelled: [2, 80]])
  }

  @Test("a group that fails counts nothing")
  func failedGroup() throws {
    try bench.bring("video", to: .rendering)
    let before = try totals()
    #expect(throws: StoreError.self) {
      try bench.store.write { transaction throws(StoreError) in
        let command = Command(id: "video", action: .event(.complete))
        _ = try transaction.apply(command, at: bench.now)
        throw .defect("it fails afterwards")
      }
    }
    #expect(try totals() == before)
    #expect(try bench.store.render("video").state == .rendering)
  }

  @Test("a store of version 2 becomes this version's, and counts from then on")
  func version2() throws {
    bench.store.close()
    try FileManager.default.removeItem(atPath: bench.path)
    let shell = try Shell(bench.path)
    let now = bench.now.milliseconds
    try shell.run(
      """
      PRAGMA journal_mode = WAL;
      \(Repository.text("Tests/RenderStoreTests/Schema2.sql"))
      PRAGMA application_id = \(Schema.applicationID);
      PRAGMA user_version = 2;
      INSERT INTO renders (id, state, progress, metadata, run, attempt, version, seq, created_at,
        updated_at, started_at, event)
      VALUES ('video', 'queued', 0, '{}', 1, 1, 1, 1, \(now), \(now), \(now), 'start');
      """
    )
    try shell.close()
    try bench.reopen()
    #expect(try totals().isEmpty)
    bench.now = bench.now.advanced(by: 9)
    try bench.take(.cancel)
    #expect(try totals() == [.queue: [1, 9], .cancelled: [1, 9]])
    #expect(try Shell(bench.path).rows("PRAGMA user_version") == ["\(Schema.version)"])
  }
}
