internal import JSON

/// What the bench came to, as a table and as JSON.
struct BenchResults: Sendable {
  let figures: [BenchMeasure: BenchFigures]
  let residentBytesAtRest: Int64
  let residentBytesAfterLoad: Int64
  let requestsOfLoad: Int

  /// What was measured beside what the disk and the pipe allow.
  private struct Ratio {
    let measure: BenchMeasure
    let key: StaticString
    let value: Double
    let against: String
  }

  private var ratios: [Ratio] {
    func p50(_ measure: BenchMeasure) -> Double { figures[measure]?.latency?.p50 ?? 0 }
    func rate(_ measure: BenchMeasure) -> Double { figures[measure]?.perSecond ?? 0 }
    let commitP50 = p50(.diskCommit)
    let commitRate = rate(.diskCommit)
    let lineP50 = p50(.pipeRoundTrip)
    return [
      Ratio(
        measure: .transition,
        key: "transitionP50ToCommitAndPipeP50",
        value: p50(.transition) / (commitP50 + lineP50),
        against: "a commit and a line"
      ),
      Ratio(
        measure: .transitionInFlight,
        key: "transitionsInFlightToCommitsPerSecond",
        value: rate(.transitionInFlight) / commitRate,
        against: "the commits"
      ),
      Ratio(
        measure: .transitionStreamed,
        key: "transitionsStreamedToCommitsPerSecond",
        value: rate(.transitionStreamed) / commitRate,
        against: "the commits"
      ),
      Ratio(
        measure: .getStatus,
        key: "getStatusP50ToPipeP50",
        value: p50(.getStatus) / lineP50,
        against: "a line"
      ),
    ]
  }

  // MARK: - For people

  func lines(width: Int?, _ paint: Paint) -> [String] {
    let ratios = ratios
    let rows = BenchMeasure.allCases.compactMap { measure -> Table.Row? in
      guard let figures = figures[measure] else { return nil }
      let ratio = ratios.first { $0.measure == measure }
      let latency = figures.latency
      return Table.Row(
        cells: [
          measure.title, figures.perSecond.map(number) ?? "",
          latency.map { time($0.p50) } ?? "", latency.map { time($0.p99) } ?? "",
          latency.map { time($0.max) } ?? "",
          ratio.map { "\(significant($0.value)) × \($0.against)" } ?? "",
        ],
        styles: ratio == nil ? [:] : [0: .bold]
      )
    }
    let table = Table(
      columns: [
        Table.Column(title: ""), Table.Column(title: "per s", isNumber: true),
        Table.Column(title: "p50", isNumber: true), Table.Column(title: "p99", isNumber: true),
        Table.Column(title: "max", isNumber: true), Table.Column(title: "against"),
      ],
      rows: rows
    )
    return table.lines(width: width, paint) + [
      "",
      "memory at rest \(size(ofBytes: residentBytesAtRest)), "
        + "after \(grouped(Int64(requestsOfLoad))) requests \(size(ofBytes: residentBytesAfterLoad))",
      "transition is progress, one of \(grouped(Int64(BenchMeasure.renders))) renders at a time;",
      "streamed is as fast as the pipe takes it",
    ]
  }

  private func time(_ microseconds: Double) -> String {
    switch microseconds {
    case ..<999.5: "\(significant(microseconds)) µs"
    case ..<999_500: "\(significant(microseconds / 1_000)) ms"
    default: "\(significant(microseconds / 1_000_000)) s"
    }
  }

  private func number(_ value: Double) -> String {
    value < 100 ? significant(value) : grouped(Int64(value.rounded()))
  }

  // MARK: - For programs

  /// One object in one line; every key is always there.
  func json(_ surroundings: Surroundings) -> String {
    var writer = JSONWriter()
    writer.beginObject()
    surroundings.write(to: &writer)
    writer.member("renders", .integer(Int64(BenchMeasure.renders)))
    writer.member("inFlight", .integer(Int64(BenchMeasure.inFlight)))
    writer.key("measures")
    writer.beginObject()
    for measure in BenchMeasure.allCases {
      guard let figures = figures[measure] else { continue }
      writer.key(escaping: measure.rawValue)
      writer.beginObject()
      writer.member("count", .integer(Int64(figures.count)))
      writer.member("perSecond", rounded(figures.perSecond))
      writer.member("p50Us", rounded(figures.latency?.p50))
      writer.member("p99Us", rounded(figures.latency?.p99))
      writer.member("maxUs", rounded(figures.latency?.max))
      writer.endObject()
    }
    writer.endObject()
    writer.key("ratios")
    writer.beginObject()
    for ratio in ratios { writer.member("\(ratio.key)", rounded(ratio.value)) }
    writer.endObject()
    writer.key("memory")
    writer.beginObject()
    writer.member("atRestBytes", .integer(residentBytesAtRest))
    writer.member("afterLoadBytes", .integer(residentBytesAfterLoad))
    writer.member("loadRequests", .integer(Int64(requestsOfLoad)))
    writer.endObject()
    writer.endObject()
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  /// To three decimals: clocks tell nanoseconds.
  private func rounded(_ value: Double?) -> JSON {
    value.map { .number(($0 * 1_000).rounded() / 1_000) } ?? .null
  }
}
