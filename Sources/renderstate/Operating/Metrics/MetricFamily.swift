internal import JSON
internal import RenderModel

/// A metric by its name, with all its values: a family of samples, as Prometheus calls it.
struct MetricFamily {
  enum Kind: String {
    case counter
    case gauge
    case histogram
  }

  enum Value {
    case number(Double)
    /// Of times in milliseconds; told in seconds.
    case histogram(Histogram)
  }

  struct Sample {
    var labels: [(name: String, value: String)] = []
    let value: Value
  }

  let name: String
  let kind: Kind
  let help: String
  let samples: [Sample]

  init(_ name: String, _ kind: Kind, _ help: String, _ samples: [Sample]) {
    self.name = name
    self.kind = kind
    self.help = help
    self.samples = samples
  }

  // MARK: - As text

  /// The lines of Prometheus' text format (prometheus.io/docs/instrumenting/exposition_formats).
  var lines: [String] {
    ["# HELP \(name) \(Self.escaped(help))", "# TYPE \(name) \(kind.rawValue)"]
      + samples.flatMap(lines(of:))
  }

  private func lines(of sample: Sample) -> [String] {
    func line(_ suffix: String, _ labels: [(name: String, value: String)], _ value: Double)
      -> String
    {
      let pairs = labels.map { "\($0.name)=\"\(Self.escaped($0.value, quoted: true))\"" }
      let braced = pairs.isEmpty ? "" : "{\(pairs.joined(separator: ","))}"
      return "\(name)\(suffix)\(braced) \(Self.text(value))"
    }
    switch sample.value {
    case .number(let number):
      return [line("", sample.labels, number)]
    case .histogram(let histogram):
      var count: Int64 = 0
      let buckets = histogram.buckets.map { bucket in
        count += bucket.count
        let bound = bucket.bound.map { Self.text(seconds($0)) } ?? "+Inf"
        return line("_bucket", sample.labels + [("le", bound)], Double(count))
      }
      return buckets + [
        line("_sum", sample.labels, seconds(histogram.totalMilliseconds)),
        line("_count", sample.labels, Double(count)),
      ]
    }
  }

  private func seconds(_ milliseconds: Int64) -> Double { Double(milliseconds) / 1_000 }

  /// Whole numbers without a fraction, others as exact as they are.
  private static func text(_ number: Double) -> String {
    var writer = JSONWriter()
    writer.number(number)
    return String(decoding: writer.take(), as: UTF8.self)
  }

  private static func escaped(_ text: String, quoted: Bool = false) -> String {
    let text = text.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
    return quoted ? text.replacing("\"", with: "\\\"") : text
  }

  // MARK: - As JSON

  func write(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.key("name")
    writer.string(name)
    writer.key("type")
    writer.string(kind.rawValue)
    writer.key("help")
    writer.string(help)
    writer.key("samples")
    writer.beginArray()
    for sample in samples {
      writer.beginObject()
      writer.key("labels")
      writer.beginObject()
      for label in sample.labels {
        writer.key(escaping: label.name)
        writer.string(label.value)
      }
      writer.endObject()
      switch sample.value {
      case .number(let number):
        writer.key("value")
        writer.number(number)
      case .histogram(let histogram):
        write(histogram, to: &writer)
      }
      writer.endObject()
    }
    writer.endArray()
    writer.endObject()
  }

  private func write(_ histogram: Histogram, to writer: inout JSONWriter) {
    writer.key("count")
    writer.integer(histogram.count)
    writer.key("sum")
    writer.number(seconds(histogram.totalMilliseconds))
    writer.key("buckets")
    writer.beginArray()
    var count: Int64 = 0
    for bucket in histogram.buckets {
      count += bucket.count
      guard let bound = bucket.bound else { continue }
      writer.beginObject()
      writer.key("le")
      writer.number(seconds(bound))
      writer.key("count")
      writer.integer(count)
      writer.endObject()
    }
    writer.endArray()
  }
}
