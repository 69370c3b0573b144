import JSON
import Support

/// What a param may be, by values that are just right and values that are just wrong.
enum ParamKind {
  case identifier
  case freeText
  case event
  case state
  case integer(ClosedRange<Int64>)
  case flag
  case object
  case ids
  case states

  static let anyInteger = ParamKind.integer(0...9_007_199_254_740_991)
  static let limit = ParamKind.integer(1...1_000)

  /// Values that are taken.
  var good: [String] {
    switch self {
    case .identifier:
      ["a", text("a", 200), text("é", 100), text("😀", 50), "~", "\u{A0}", " ", "\"", "\u{301}"]
        .map(quoted)
    case .freeText: ["", "s1", text("a", 5_000), "\u{7}"].map(quoted)
    case .event: ["start", "progress", "complete", "fail", "cancel"].map(quoted)
    case .state: ["idle", "queued", "rendering", "completed", "failed"].map(quoted)
    case .integer(let range):
      [
        "\(range.lowerBound)", "\(range.upperBound)", "\(range.upperBound).0", "5.0", "5e0",
        "0.5e1",
      ]
    case .flag: ["true", "false"]
    case .object: ["{}", #"{"a":[{"b":null}]}"#]
    case .ids:
      [list(1) { _ in #""a""# }, list(1_000) { quoted("v\($0)") }, list(2) { _ in #""a""# }]
    case .states:
      [#"["idle"]"#, #"["idle","queued","rendering","completed","failed"]"#, #"["idle","idle"]"#]
    }
  }

  /// Values that are refused, and where, from the param on.
  var bad: [(value: String, place: String)] {
    let numbers = ["0", "1.5", "-1"]
    let words = [#""""#, #""a""#, #""1""#]
    let flags = ["true", "false"]
    let containers = ["[]", "{}"]
    switch self {
    case .identifier:
      let texts = ["", text("a", 201), text("é", 101), text("a", 199) + "é", text("😀", 51)]
      let controls = Array(0...0x1F) + Array(0x7F...0x9F)
      let dirty = controls.compactMap(Unicode.Scalar.init).map { "a\($0)b" }
      return here(numbers + flags + containers + (texts + dirty).map(quoted))
    case .freeText:
      return here(numbers + flags + containers)
    case .event, .state:
      return here(numbers + flags + containers + words + [#""Start""#, #""queued ""#])
    case .integer(let range):
      let beyond = [range.lowerBound - 1, range.upperBound + 1].map(String.init)
      let odd = ["1.5", "\(range.upperBound).5", "1e400", "-1e400", "1e17", "-0.5"]
      return here(beyond + odd + words + flags + containers)
    case .flag:
      return here(numbers + words + containers)
    case .object:
      return here(numbers + words + flags + ["[]"])
    case .ids:
      let counts = ["[]", list(1_001) { quoted("v\($0)") }]
      let wrong: [(String, String)] = [
        (#"[1]"#, "[0]"), (#"["a",null]"#, "[1]"), (#"["a","b",""]"#, "[2]"),
        (#"["a",\#(quoted(text("a", 201)))]"#, "[1]"), (#"["a",["b"]]"#, "[1]"),
        (#"["a\u0000"]"#, "[0]"),
      ]
      return here(numbers + words + flags + ["{}"] + counts) + wrong
    case .states:
      let six = #"["idle","idle","idle","idle","idle","idle"]"#
      let wrong: [(String, String)] = [
        (#"["done"]"#, "[0]"), (#"["idle",5]"#, "[1]"), (#"["idle",null]"#, "[1]"),
      ]
      return here(numbers + words + flags + ["{}", "[]", six]) + wrong
    }
  }

  private func here(_ values: [String]) -> [(value: String, place: String)] {
    values.map { ($0, "") }
  }
}

/// A text repeated.
func text(_ text: String, _ count: Int) -> String {
  String(repeating: text, count: count)
}

/// A JSON array of so many elements.
func list(_ count: Int, _ element: (Int) -> String) -> String {
  "[\((0..<count).map(element).joined(separator: ","))]"
}
