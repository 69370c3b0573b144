import JSON
import RenderModel
import Support
import Testing

@testable import RenderProtocol

/// A render with nothing null.
func fullRender() throws -> Render {
  let metadata = try #require(Metadata(stored: #"{"title":"Spring"}"#))
  return Render(
    id: "video-42",
    state: .completed,
    progress: 99.5,
    renderID: "r1",
    bucketName: "bucket",
    videoURL: "https://media.example.com/v.mp4",
    error: "none \u{7}",
    metadata: metadata,
    run: 2,
    attempt: 3,
    version: 4,
    lastEvent: .complete,
    seq: 9_007_199_254_740_991,
    createdAt: Timestamp(milliseconds: 1_795_348_800_000),
    updatedAt: Timestamp(milliseconds: 1_795_348_800_001),
    startedAt: Timestamp(milliseconds: 0),
    timeouts: .off
  )
}

func fullChange(metadata: String? = #"{"a":null}"#) -> Change {
  Change(
    seq: 7,
    id: "video-42",
    event: .fail,
    previousState: .rendering,
    state: .failed,
    progress: 50,
    renderID: "r1",
    bucketName: "bucket",
    videoURL: nil,
    error: "Render failed",
    metadata: metadata,
    run: 1,
    attempt: 2,
    version: 5,
    actor: "watchdog",
    at: Timestamp(milliseconds: 1_795_348_800_002)
  )
}

/// A value as it is written.
func written(_ value: some WireValue) -> String {
  var writer = JSONWriter()
  value.write(to: &writer)
  return String(decoding: writer.bytes, as: UTF8.self)
}

@Suite("Objects on the wire")
struct WritingTests {
  private static let statusKeys = """
    id state progress renderId bucketName videoUrl error metadata run attempt version lastEvent \
    processingStatus seq createdAt updatedAt
    """.split(separator: " ").map(String.init)

  private static let changeKeys = """
    seq id event previousState state progress renderId bucketName videoUrl error metadata run \
    attempt version actor at
    """.split(separator: " ").map(String.init)

  @Test("a Status has every key, in the order of the contract")
  func status() throws {
    let text = written(Status(try fullRender()))
    #expect(
      text == """
        {"id":"video-42","state":"completed","progress":99.5,"renderId":"r1","bucketName":"bucket",\
        "videoUrl":"https://media.example.com/v.mp4","error":"none \\u0007",\
        "metadata":{"title":"Spring"},"run":2,"attempt":3,"version":4,"lastEvent":"complete",\
        "processingStatus":"completed","seq":9007199254740991,\
        "createdAt":"2026-11-22T12:00:00.000Z","updatedAt":"2026-11-22T12:00:00.001Z"}
        """
    )
    #expect(try JSON(reading: text).keys == Self.statusKeys)
  }

  @Test("an idle render has zeros, {} and nulls")
  func idle() throws {
    #expect(
      written(Status(.idle("video-43"))) == """
        {"id":"video-43","state":"idle","progress":0,"renderId":null,"bucketName":null,\
        "videoUrl":null,"error":null,"metadata":{},"run":0,"attempt":0,"version":0,\
        "lastEvent":null,"processingStatus":null,"seq":0,"createdAt":null,"updatedAt":null}
        """
    )
  }

  @Test("processingStatus is the legacy column's value")
  func processingStatus() throws {
    var values: [String?] = []
    for state in State.allCases {
      var render = try fullRender()
      render.state = state
      values.append(try JSON(reading: written(Status(render)))["processingStatus"]?.string)
    }
    #expect(values == [nil, "generating_video", "generating_video", "completed", "failed"])
  }

  @Test("a Change has every key, in the order of the contract")
  func change() throws {
    let notification = StatusNotification(subscription: "s1", change: fullChange(), skipped: 3)
    let text = written(notification)
    #expect(
      text == """
        {"subscription":"s1","change":{"seq":7,"id":"video-42","event":"fail",\
        "previousState":"rendering","state":"failed","progress":50,"renderId":"r1",\
        "bucketName":"bucket","videoUrl":null,"error":"Render failed","metadata":{"a":null},\
        "run":1,"attempt":2,"version":5,"actor":"watchdog","at":"2026-11-22T12:00:00.002Z"},\
        "skipped":3}
        """
    )
    #expect(try JSON(reading: text)["change"]?.keys == Self.changeKeys)
    #expect(StatusNotification.name.description == "status")
  }

  @Test("a Change whose event carried no metadata has null there")
  func changeWithoutMetadata() throws {
    let answer = GetHistoryMethod.Answer(changes: [fullChange(metadata: nil)], nextAfterSeq: 7)
    let json = try JSON(reading: written(answer))
    #expect(json.keys == ["changes", "nextAfterSeq"])
    #expect(json["nextAfterSeq"] == .integer(7))
    let change = try #require(json["changes"]?.array?.first)
    #expect(change.keys == Self.changeKeys)
    #expect(change["metadata"]?.isNull == true)
  }

  @Test("an empty page is empty, and its cursor null")
  func emptyPages() {
    let history = GetHistoryMethod.Answer(changes: [], nextAfterSeq: nil)
    #expect(written(history) == #"{"changes":[],"nextAfterSeq":null}"#)
    let list = ListStatusesMethod.Answer(renders: [], next: nil)
    #expect(written(list) == #"{"statuses":[],"nextCursor":null}"#)
    #expect(written(GetStatusesMethod.Answer(renders: [])) == #"{"statuses":[]}"#)
  }

  @Test("the end of a subscription says why")
  func ended() {
    for reason in ["terminal", "shutdown"] {
      let notification = SubscriptionEndedNotification(
        subscription: "s2",
        reason: SubscriptionEndedNotification.Reason(rawValue: reason) ?? .terminal
      )
      #expect(written(notification) == #"{"subscription":"s2","reason":"\#(reason)"}"#)
    }
    #expect(SubscriptionEndedNotification.name.description == "subscriptionEnded")
  }

  @Test("answers have the keys of the contract")
  func answers() throws {
    let render = try fullRender()
    let transition = TransitionAnswer(
      previousState: .idle,
      version: 1,
      seq: 2,
      status: Status(render),
      isReplayed: true
    )
    let keys = ["previousState", "version", "seq", "status", "replayed"]
    #expect(try JSON(reading: written(transition)).keys == keys)
    let subscribed = SubscribeMethod.Answer(
      subscription: "s1",
      seq: 5,
      renders: [render],
      hasGap: false
    )
    let subscribedKeys = ["subscription", "seq", "statuses", "gap"]
    #expect(try JSON(reading: written(subscribed)).keys == subscribedKeys)
    #expect(written(UnsubscribeMethod.Answer()) == #"{"unsubscribed":true}"#)
    #expect(written(ReleaseLeaseMethod.Answer(isReleased: false)) == #"{"released":false}"#)
    #expect(written(EmptyAnswer()) == "{}")
    let lease = Lease(
      name: "n",
      holder: "h",
      token: 3,
      expiresAt: Timestamp(milliseconds: 1_795_348_800_000)
    )
    #expect(
      written(AcquireLeaseMethod.Answer(lease: lease, isAcquired: true))
        == #"{"acquired":true,"holder":"h","token":3,"expiresAt":"2026-11-22T12:00:00.000Z"}"#
    )
  }

  @Test("initialize tells the whole machine")
  func initialize() throws {
    let answer = InitializeMethod.Answer(serverVersion: "1.2.3", storeKind: "sqlite")
    let json = try JSON(reading: written(answer))
    #expect(json.keys == ["server", "protocolVersion", "store", "machine"])
    #expect(json["server"] == (try JSON(reading: #"{"name":"renderstate","version":"1.2.3"}"#)))
    #expect(json["protocolVersion"] == .integer(1))
    #expect(json["machine"]?.keys == ["states", "events", "transitions"])
    #expect(json["machine", "transitions"]?.array?.count == Machine.table.count)
  }

  @Test("stats tells the methods called so far")
  func stats() {
    var durations = Durations()
    durations[.queue].add(250, count: 2, totalMilliseconds: 300)
    durations[.timedOut].add(10_800_001, count: 1, totalMilliseconds: 10_800_001)
    let answer = StatsMethod.Answer(
      uptimeMilliseconds: 5,
      store: StoreFigures(
        kind: "sqlite",
        bytes: 1,
        walBytes: 2,
        seq: 3,
        sqliteVersion: "3.40.1",
        renders: RenderCounts(queued: 4, rendering: 5, completed: 6, failed: 7),
        oldestActiveAt: Timestamp(milliseconds: 1),
        durations: durations
      ),
      subscriptions: 8,
      calls: [
        StatsMethod.Calls(
          method: "ping",
          count: 9,
          errors: 1,
          p50Microseconds: 2.5,
          p99Microseconds: 30
        )
      ]
    )
    #expect(
      written(answer) == """
        {"uptimeMs":5,"store":{"kind":"sqlite","bytes":1,"walBytes":2,"seq":3,\
        "sqliteVersion":"3.40.1"},"renders":{"queued":4,"rendering":5,"completed":6,"failed":7},\
        "oldestActiveAt":"1970-01-01T00:00:00.001Z","durations":{"boundsMs":[100,250,500,1000,2500,\
        5000,10000,30000,60000,120000,300000,600000,1800000,3600000,10800000],\
        "queue":{"counts":[0,2,0,0,0,0,0,0,0,0,0,0,0,0,0,0],"sumMs":300},\
        "completed":{"counts":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],"sumMs":0},\
        "failed":{"counts":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],"sumMs":0},\
        "cancelled":{"counts":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],"sumMs":0},\
        "timedOut":{"counts":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1],"sumMs":10800001}},\
        "subscriptions":8,"methods":{"ping":{"count":9,"errors":1,"p50Us":2.5,"p99Us":30}}}
        """
    )
  }

  @Test(
    "times are ISO 8601 in UTC with milliseconds",
    arguments: [
      (0, "1970-01-01T00:00:00.000Z"), (1, "1970-01-01T00:00:00.001Z"),
      (-1, "1969-12-31T23:59:59.999Z"), (-1_000, "1969-12-31T23:59:59.000Z"),
      (-1_001, "1969-12-31T23:59:58.999Z"), (-62_135_596_800_000, "0001-01-01T00:00:00.000Z"),
      (951_782_400_000, "2000-02-29T00:00:00.000Z"), (951_868_799_999, "2000-02-29T23:59:59.999Z"),
      (1_798_761_599_999, "2026-12-31T23:59:59.999Z"),
      (1_798_761_600_000, "2027-01-01T00:00:00.000Z"),
      (4_107_542_399_000, "2100-02-28T23:59:59.000Z"),
      (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
      (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
    ] as [(Int64, String)]
  )
  func times(_ milliseconds: Int64, _ text: String) {
    #expect(Timestamp(milliseconds: milliseconds).iso8601 == text)
  }
}
