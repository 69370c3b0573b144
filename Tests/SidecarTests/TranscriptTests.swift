import Support
import Testing

@Suite("Transcripts in memory")
struct TranscriptTests {
  @Test("a sidecar in memory answers as the story says", arguments: try Transcript.all())
  func story(_ transcript: Transcript) throws {
    try transcript.play(on: MemoryTranscriptTarget())
  }

  @Test("there are stories to play")
  func found() throws {
    #expect(try !Transcript.all().isEmpty)
  }
}
