// From the command line to a job's specification: what async and sync have in common.
#pragma once

#include <set>

#include "cli/files.hpp"
#include "re/engine/fan_out.hpp"
#include "re/engine/submit.hpp"

namespace re::cli {

/// One command for one place or several.
struct Submission {
  std::vector<engine::Place> places = {};
  std::vector<engine::RemoteProject> remotes = {};  ///< by place
  project::Project project = {};
  model::JobSpec spec;  ///< all but the id, and what the place decides
  engine::Source source = engine::Source::current;
  engine::Trust trust = engine::Trust::times;
  std::optional<std::chrono::milliseconds> deadline = {};  ///< --deadline

  /// The job for places[i].
  [[nodiscard]] engine::SubmitRequest request(const JobId& id, std::size_t i) const;
};

/// All but the command and what only `async` and `sync` have: for a job of ours.
Submission begin_submission(Context& context, const Parsed& parsed, model::Streams streams,
                            std::vector<engine::Place> places);
/// Throws Error (usage) for a missing command, a malformed option, or one that goes with a single place only.
Submission read_submission(Context& context, const Parsed& parsed, model::Streams streams);

/// Progress of many submissions: one line says how far they are. Remarks that several would make are made
/// once.
class FanProgress final : public Progress {
 public:
  FanProgress(Progress& progress, std::size_t places) : m_progress(progress), m_places(places) {}
  void step(std::string_view) override {}
  void advance(std::uint64_t, std::uint64_t) override {}
  void note(std::string_view text) override;
  enum class Outcome { started, failed };
  /// Returns whether that was the last.
  bool count(Outcome outcome);
  void show();

 private:
  Progress& m_progress;
  std::size_t m_places;
  std::size_t m_started = 0;
  std::size_t m_failed = 0;
  std::set<std::string> m_notes;
};

/// All that submitting to several places needs, alive as long as that lasts.
struct FanSubmission {
  FanSubmission(Context& context, const Parsed& parsed, Submission what);
  FanSubmission(const FanSubmission&) = delete;
  FanSubmission& operator=(const FanSubmission&) = delete;

  /// Submits to places[i].
  Async<engine::Submitted> submit(std::size_t i);

  Context& context;
  Submission submission;
  FanProgress progress;
  engine::ProjectFiles files;
  engine::Submitter submitter;
  engine::FanOut fan;
};

}  // namespace re::cli
