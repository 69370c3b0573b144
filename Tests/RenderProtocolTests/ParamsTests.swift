import JSON
import JSONRPC
import RenderProtocol
import Support
import Testing

/// What a method takes: the params that it needs, with a value each, and those it may have.
struct MethodParams: Sendable, CustomStringConvertible {
  let method: any Method.Type
  var required: [String: String] = [:]
  let kinds: [String: ParamKind]

  var description: String { method.name }

  static let day366: Int64 = 31_622_400_000

  static let all: [MethodParams] = [
    MethodParams(
      method: TransitionMethod.self,
      required: ["id": #""a""#, "event": #""start""#],
      kinds: [
        "id": .identifier, "event": .event, "expectedVersion": .anyInteger, "expectedState": .state,
        "expectedAttempt": .anyInteger, "idempotencyKey": .identifier, "actor": .identifier,
      ]
    ),
    MethodParams(
      method: RegenerateMethod.self,
      required: ["id": #""a""#],
      kinds: [
        "id": .identifier, "expectedVersion": .anyInteger, "expectedState": .state,
        "idempotencyKey": .identifier, "actor": .identifier,
      ]
    ),
    MethodParams(
      method: GetStatusMethod.self,
      required: ["id": #""a""#],
      kinds: ["id": .identifier]
    ),
    MethodParams(
      method: GetStatusesMethod.self,
      required: ["ids": #"["a"]"#],
      kinds: ["ids": .ids]
    ),
    MethodParams(
      method: ListStatusesMethod.self,
      kinds: ["states": .states, "limit": .limit]
    ),
    MethodParams(
      method: GetHistoryMethod.self,
      required: ["id": #""a""#],
      kinds: ["id": .identifier, "afterSeq": .anyInteger, "limit": .limit]
    ),
    MethodParams(
      method: SubscribeMethod.self,
      required: ["ids": #"["a"]"#],
      kinds: ["ids": .ids, "states": .states, "afterSeq": .anyInteger, "untilTerminal": .flag]
    ),
    MethodParams(
      method: UnsubscribeMethod.self,
      required: ["subscription": #""s1""#],
      kinds: ["subscription": .freeText]
    ),
    MethodParams(
      method: AcquireLeaseMethod.self,
      required: ["name": #""n""#, "holder": #""h""#, "ttlMs": "1000"],
      kinds: ["name": .identifier, "holder": .identifier, "ttlMs": .integer(1...day366)]
    ),
    MethodParams(
      method: ReleaseLeaseMethod.self,
      required: ["name": #""n""#, "holder": #""h""#],
      kinds: ["name": .identifier, "holder": .identifier]
    ),
    MethodParams(method: InitializeMethod.self, kinds: ["client": .object]),
    MethodParams(method: StatsMethod.self, kinds: [:]),
    MethodParams(method: PingMethod.self, kinds: [:]),
    MethodParams(method: DiscoverMethod.self, kinds: [:]),
    MethodParams(method: ShutdownMethod.self, kinds: [:]),
  ]

  /// The params needed, with one set, or absent if nil.
  func params(_ name: String, _ value: String?) -> String {
    var members = required
    members[name] = value
    return "{\(members.map { "\(quoted($0)):\($1)" }.joined(separator: ","))}"
  }
}

@Suite("Params")
struct ParamsTests {
  @Test("every method is tested here")
  func complete() {
    #expect(MethodParams.all.map { $0.method.name } == Catalogue.methods.map { $0.name })
  }

  @Test("what a method needs is enough", arguments: MethodParams.all)
  func enough(_ method: MethodParams) throws {
    #expect(try refusedPath(of: method.method, method.params("x", nil)) == nil)
  }

  @Test("a param that is needed must be there, and not null", arguments: MethodParams.all)
  func required(_ method: MethodParams) throws {
    // With ids absent a subscription hears everything.
    for name in method.required.keys where method.method.name != SubscribeMethod.name {
      for value in [nil, "null"] {
        let refusal = try refusal(of: method.method, method.params(name, value))
        #expect(refusal?.path == "params.\(name)")
        #expect(refusal?.reason == "it is required")
      }
    }
  }

  @Test("an optional param that is null counts as absent", arguments: MethodParams.all)
  func null(_ method: MethodParams) throws {
    for name in method.kinds.keys where method.required[name] == nil {
      #expect(try refusedPath(of: method.method, method.params(name, "null")) == nil)
    }
    if method.kinds["expectedVersion"] != nil {
      for name in ["context", "timeouts"] {
        #expect(try refusedPath(of: method.method, method.params(name, "null")) == nil)
      }
    }
  }

  @Test("a value within its bounds is taken", arguments: MethodParams.all)
  func good(_ method: MethodParams) throws {
    for (name, kind) in method.kinds {
      for value in kind.good {
        #expect(try refusedPath(of: method.method, method.params(name, value)) == nil, "\(value)")
      }
    }
  }

  @Test("a value out of its bounds or of another type is refused", arguments: MethodParams.all)
  func bad(_ method: MethodParams) throws {
    for (name, kind) in method.kinds {
      for (value, place) in kind.bad {
        let refusal = try refusal(of: method.method, method.params(name, value))
        #expect(refusal?.path == "params.\(name)\(place)", "\(value)")
        #expect(refusal?.reason.isEmpty == false)
      }
    }
  }

  @Test("a name that does not exist is refused", arguments: MethodParams.all)
  func unknown(_ method: MethodParams) throws {
    for name in ["verbose", "ID", "Id", "", "i\u{301}d", "jsonrpc"] {
      for value in ["true", "null"] {
        let path = try refusedPath(of: method.method, method.params(name, value))
        #expect(path == "params.\(name)")
      }
    }
  }

  @Test("params that are no object are refused", arguments: MethodParams.all)
  func unusable(_ method: MethodParams) throws {
    for params in ["[]", #"["a"]"#, "1", #""a""#, "true"] {
      #expect(try refusedPath(of: method.method, params) == "params")
    }
  }

  @Test("a name of any length is refused with a path of bounded length")
  func longName() throws {
    let path = try #require(try refusedPath(of: PingMethod.self, #"{"\#(text("n", 9_000))":1}"#))
    #expect(path == "params." + text("n", 100))
  }

  @Test("regenerate takes no event and no expectedAttempt")
  func regenerate() throws {
    let method = RegenerateMethod.self
    let paths = try [#"{"id":"a","event":"start"}"#, #"{"id":"a","expectedAttempt":1}"#]
      .map { try refusedPath(of: method, $0) }
    #expect(paths == ["params.event", "params.expectedAttempt"])
  }

  @Test("a page has 100 entries if not said otherwise")
  func limit() throws {
    #expect(try read(ListStatusesMethod.self, "{}").limit == 100)
    #expect(try read(GetHistoryMethod.self, #"{"id":"a"}"#).limit == 100)
    #expect(try read(GetHistoryMethod.self, #"{"id":"a","limit":7.0}"#).limit == 7)
    #expect(try read(GetHistoryMethod.self, #"{"id":"a"}"#).afterSeq == 0)
  }

  @Test("untilTerminal goes with ids only")
  func untilTerminal() throws {
    let method = SubscribeMethod.self
    for params in [#"{"untilTerminal":true}"#, #"{"untilTerminal":true,"ids":null}"#] {
      #expect(try refusedPath(of: method, params) == "params.untilTerminal")
    }
    #expect(try !read(method, #"{"untilTerminal":false}"#).untilTerminal)
    #expect(try read(method, #"{"untilTerminal":true,"ids":["a"]}"#).untilTerminal)
  }

  @Test("without a filter a subscription names no ids and no states")
  func noFilter() throws {
    let params = try read(SubscribeMethod.self, #"{"ids":null,"states":null,"afterSeq":null}"#)
    #expect(params.ids == nil)
    #expect(params.states == nil)
    #expect(params.afterSeq == nil)
  }

  @Test("of duplicate keys the last one counts")
  func duplicates() throws {
    #expect(try read(GetStatusMethod.self, #"{"id":5,"id":"b"}"#).id == "b")
    #expect(try refusedPath(of: GetStatusMethod.self, #"{"id":"b","id":5}"#) == "params.id")
  }

  @Test("an id that differs in its bytes only is taken as it is")
  func bytes() throws {
    let composed = try read(GetStatusMethod.self, #"{"id":"\u00e9"}"#).id
    let decomposed = try read(GetStatusMethod.self, #"{"id":"e\u0301"}"#).id
    #expect(!composed.hasSameBytes(as: decomposed))
  }
}
