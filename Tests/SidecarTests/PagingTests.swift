import JSON
import Support
import Testing

@Suite("Lists and histories")
struct PagingTests {
  private let clock = ManualClock()
  private let folder: TemporaryFolder
  private let sidecar: MemorySidecar

  init() throws {
    folder = try TemporaryFolder()
    sidecar = try MemorySidecar(folder, clock: clock)
  }

  /// The ids of a page, and its cursor.
  private func page(_ params: String) throws -> (ids: [String], cursor: String?) {
    let page = try sidecar.result("listStatuses", "{\(params)}")
    let ids = page["statuses"]?.array?.compactMap { $0["id"]?.string } ?? []
    return (ids, page["nextCursor"]?.string)
  }

  @Test("a list comes by updatedAt, then seq, the newest first")
  func order() throws {
    for id in ["a", "b", "c"] { try sidecar.transition(id, "start") }
    clock.advance(milliseconds: -10)
    try sidecar.transition("d", "start")
    clock.advance(milliseconds: 20)
    try sidecar.transition("a", "progress")
    #expect(try page("").ids == ["a", "c", "b", "d"])
  }

  @Test("pages hold every render once, and the last one has no cursor, full or not")
  func pages() throws {
    for index in 0..<7 {
      try sidecar.transition("v\(index)", "start")
      if index % 3 == 0 { clock.advance(milliseconds: 1) }
    }
    for limit in 1...8 {
      var ids: [String] = []
      var cursor: String?
      var pages = 0
      repeat {
        let next = try page(#""limit":\#(limit),"cursor":\#(cursor.map(quoted) ?? "null")"#)
        ids += next.ids
        cursor = next.cursor
        pages += 1
      } while cursor != nil && pages < 10
      #expect(ids == (0..<7).reversed().map { "v\($0)" })
      #expect(pages == (7 + limit - 1) / limit)
    }
  }

  @Test("a render that changes while pages are read moves to the front, and nothing else is lost")
  func changesBetweenPages() throws {
    for index in 0..<6 {
      try sidecar.transition("v\(index)", "start")
      clock.advance(milliseconds: 1)
    }
    let first = try page(#""limit":2"#)
    #expect(first.ids == ["v5", "v4"])
    try sidecar.transition("v4", "progress")
    try sidecar.transition("v6", "start")
    let second = try page(#""limit":2,"cursor":"\#(first.cursor ?? "")""#)
    #expect(second.ids == ["v3", "v2"])
    let third = try page(#""limit":2,"cursor":"\#(second.cursor ?? "")""#)
    #expect(third.ids == ["v1", "v0"])
    #expect(third.cursor == nil)
  }

  @Test("states filter the list, each once; idle renders are in none")
  func states() throws {
    for id in ["a", "b", "c", "d"] { try sidecar.transition(id, "start") }
    for id in ["b", "c"] { try sidecar.transition(id, "progress") }
    try sidecar.transition("c", "complete")
    try sidecar.transition("d", "cancel")
    #expect(try page(#""states":["queued"]"#).ids == ["a"])
    #expect(try page(#""states":["failed","completed","failed"]"#).ids == ["d", "c"])
    #expect(try page(#""states":["idle"]"#).ids == [])
    #expect(
      try page(#""states":["queued","rendering","completed","failed","idle"]"#).ids.count == 4
    )
    let first = try page(#""states":["queued","rendering"],"limit":1"#)
    #expect(first.ids == ["b"])
    let second = try page(#""states":["queued","rendering"],"cursor":"\#(first.cursor ?? "")""#)
    #expect(second.ids == ["a"])
  }

  @Test("a cursor outlives a restart")
  func restart() throws {
    for id in ["a", "b", "c"] { try sidecar.transition(id, "start") }
    let cursor = try #require(try page(#""limit":1"#).cursor)
    try sidecar.stop()
    let next = try MemorySidecar(folder)
    let list = try next.result("listStatuses", #"{"cursor":"\#(cursor)"}"#)
    #expect(list["statuses"]?.array?.map { $0["id"]?.string } == ["b", "a"])
  }

  @Test("a history comes oldest first, in pages that are stable while it grows")
  func history() throws {
    try sidecar.transition("a", "start")
    for index in 0..<6 {
      try sidecar.transition("a", "progress", #""context":{"progress":\#(index)}"#)
      try sidecar.transition("b\(index)", "start")
    }
    var versions: [Int64] = []
    var after: Int64? = 0
    var pages = 0
    while let seq = after {
      let params = #"{"id":"a","limit":3,"afterSeq":\#(seq)}"#
      let page = try sidecar.result("getHistory", params)
      versions += page["changes"]?.array?.compactMap { $0["version"]?.integer } ?? []
      after = page["nextAfterSeq"]?.integer
      pages += 1
      if pages == 1 { try sidecar.transition("a", "progress") }
      if pages == 2 { try sidecar.transition("a", "complete") }
    }
    #expect(versions == Array(1...9))
    #expect(pages == 3)
  }

  @Test("a history after its end is empty")
  func beyond() throws {
    try sidecar.transition("a", "start")
    let page = try sidecar.result("getHistory", #"{"id":"a","afterSeq":9007199254740991}"#)
    #expect(page == (try json(#"{"changes":[],"nextAfterSeq":null}"#)))
  }
}
