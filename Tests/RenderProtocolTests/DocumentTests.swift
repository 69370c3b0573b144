import Foundation
import JSON
import RenderModel
import Support
import Testing

@testable import RenderProtocol

@Suite("The documents in protocol/")
struct DocumentTests {
  private static let generatedFile = "Sources/RenderProtocol/OpenRPCDocument.generated.swift"

  private func document() throws -> JSON {
    try JSON(reading: Repository.text("protocol/openrpc.json"))
  }

  private func names(_ values: JSON?) -> [String] {
    (values?.array ?? []).compactMap { $0["name"]?.string }
  }

  @Test("openrpc.json has the methods of the catalogue, in their order")
  func methods() throws {
    #expect(names(try document()["methods"]) == Catalogue.methods.map { $0.name })
  }

  @Test("openrpc.json has the notifications")
  func notifications() throws {
    #expect(
      names(try document()["x-notifications"]) == [
        StatusNotification.name.description, SubscriptionEndedNotification.name.description,
      ]
    )
  }

  @Test("openrpc.json has every error with its code and its kind")
  func errors() throws {
    let document = try document()
    guard case .object(let errors)? = document["components", "errors"] else {
      Issue.record("no errors")
      return
    }
    let cases = try ErrorCase.all()
    let codes = errors.members.map { $0.value["code"] }
    #expect(codes == cases.map { .integer(Int64($0.code)) })
    for (member, expected) in zip(errors.members, cases) {
      let reference = try #require(member.value["data", "$ref"]?.string)
      let name = try #require(reference.split(separator: "/").last.map(String.init))
      let schema = try #require(document["components", "schemas", name])
      #expect(schema["properties", "kind", "const"]?.string == expected.kind)
      let required = try #require(schema["required"]?.array).compactMap(\.string)
      #expect(Set(required) == Set(["kind"] + expected.keys))
    }
  }

  @Test("openrpc.json names the params that a method takes, and no others")
  func params() throws {
    for method in try #require(try document()["methods"]?.array) {
      let name = try #require(method["name"]?.string)
      let expected = try #require(MethodParams.all.first { $0.method.name == name })
      let params = method["params"]?.array ?? []
      for param in params {
        let path = "params.\(param["name"]?.string ?? "")"
        // An object is never right, except for a param that is one: the name is known all the same.
        let refusal = try refusal(
          of: expected.method,
          expected.params(try #require(param["name"]?.string), #"{"odd":0}"#)
        )
        #expect(refusal?.reason.hasPrefix("no such name") != true || refusal?.path != path)
      }
      let required = params.filter { $0["required"]?.bool == true }.compactMap {
        $0["name"]?.string
      }
      let needed = name == SubscribeMethod.name ? [] : Array(expected.required.keys)
      #expect(Set(required) == Set(needed))
      let others = ["cursor", "context", "timeouts"]
      let known = Set(params.compactMap { $0["name"]?.string }).subtracting(others)
      #expect(known == Set(expected.kinds.keys))
    }
  }

  @Test("openrpc.json describes a Status and a Change with the keys that are written")
  func objects() throws {
    let schemas = try #require(try document()["components", "schemas"])
    let status = try JSON(reading: written(Status(fullRender())))
    let notification = StatusNotification(subscription: "s", change: fullChange(), skipped: 0)
    let change = try #require(try JSON(reading: written(notification))["change"])
    for (name, value) in [("Status", status), ("Change", change)] {
      #expect(schemas[name, "required"]?.array?.compactMap(\.string) == value.keys)
      #expect(schemas[name, "properties"]?.keys == value.keys)
    }
    let states = schemas["State", "enum"]?.array?.compactMap(\.string)
    #expect(states == State.allCases.map(\.rawValue))
    let events = schemas["Event", "enum"]?.array?.compactMap(\.string)
    #expect(events == Event.allCases.map(\.rawValue))
  }

  @Test("protocol/README.md mentions every method, notification, error and story")
  func readme() throws {
    let text = try Repository.text("protocol/README.md")
    var names = Catalogue.methods.map { $0.name }
    names += [
      StatusNotification.name.description, SubscriptionEndedNotification.name.description,
    ]
    for error in try ErrorCase.all() { names += [error.kind, String(error.code)] }
    names += try Transcript.all().map(\.name)
    for name in names { #expect(text.contains("`\(name)`"), "\(name)") }
  }

  @Test("the document in the program is openrpc.json; RENDERSTATE_REGENERATE=1 makes it so")
  func generated() throws {
    let compact = try document().compactText
    let file = Repository.root.appending(path: Self.generatedFile)
    let source = try String(contentsOf: file, encoding: .utf8)
    let head = "let openRPCDocument = #\"\"\"\n"
    let start = try #require(source.range(of: head)?.upperBound)
    let expected = source[..<start] + compact + "\n\"\"\"#\n"
    if ProcessInfo.processInfo.environment["RENDERSTATE_REGENERATE"] == "1" {
      try expected.write(to: file, atomically: true, encoding: .utf8)
    } else {
      #expect(source == expected)
      #expect(openRPCDocument.hasSameBytes(as: compact))
    }
    #expect(source.hasPrefix("/// "))
    #expect(source[..<start].contains("\n// swift-format-ignore\n"))
  }

  @Test("rpc.discover answers the document on one line")
  func discover() throws {
    let text = written(DiscoverMethod.Answer())
    #expect(text.utf8.allSatisfy { $0 >= 0x20 })
    let document = try document()
    #expect(try JSON(reading: text) == document)
  }

  @Test("state-machine.json is the table")
  func stateMachine() throws {
    let machine = try JSON(reading: Repository.text("protocol/state-machine.json"))
    #expect(machine["initial"]?.string == "idle")
    #expect(machine["states"]?.keys == State.allCases.map(\.rawValue))
    for state in State.allCases {
      let node = try #require(machine["states", state.rawValue])
      let events = Machine.events(in: state)
      #expect((node["on"]?.keys ?? []) == events.map(\.rawValue))
      for event in events {
        let target = node["on", event.rawValue, "target"]?.string
        #expect(target == Machine.row(from: state, event: event)?.to.rawValue)
      }
      #expect(node["meta", "processingStatus"]?.string == state.processingStatus)
      #expect((node["type"]?.string == "final") == events.isEmpty)
      let tags = (node["tags"]?.array ?? []).compactMap(\.string)
      let expected = (state.isActive ? ["active"] : []) + (state.isTerminal ? ["terminal"] : [])
      #expect(tags == expected)
    }
  }

  @Test("the catalogue has each method once")
  func catalogue() {
    let names = Catalogue.methods.map { $0.name }
    #expect(Set(names).count == names.count)
    #expect(Catalogue.protocolVersion == 1)
  }

  @Test("these methods take effect as notifications, and no others")
  func notificationsToUs() {
    let acting = Catalogue.methods.filter { $0.actsAsNotification }.map { $0.name }
    #expect(acting == ["transition", "regenerate", "unsubscribe", "releaseLease", "shutdown"])
  }
}
