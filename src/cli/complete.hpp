// What may stand at a place of the command line: the shells' completions (completions/) ask for it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/command.hpp"

namespace re::cli {

/// `re __complete WORD...` prints what may replace the last word (which may be empty), one candidate a line,
/// with a tab and a description where there is one. A line that begins with a tab asks the shell for more:
/// "\tfiles" for names of local files, "\tprograms" for commands. A candidate is a whole word, without
/// quotes; after one that ends in '/' the word goes on. It never prints an error, asks nothing and makes no
/// file.
inline constexpr std::string_view k_complete_command = "__complete";
/// Prints it. Always 0.
int complete_main(const std::vector<std::string>& words) noexcept;

struct Candidate {
  std::string text;
  std::string description = {};

  bool operator==(const Candidate&) const = default;
};

struct Completion {
  std::vector<Candidate> candidates;
  bool files = false;
  bool programs = false;
};

enum class JobChoice { live, all };

/// What is known beside the table. Functions may throw Error.
class CompletionSource {
 public:
  virtual ~CompletionSource() = default;
  struct Instance {
    std::string index;  ///< empty: none
    std::string name;   ///< empty: none
    std::string destination;
    std::vector<std::string> tags = {};
  };
  /// The configured ones. No network.
  virtual std::vector<Instance> instances(const Parsed& parsed) = 0;
  struct Job {
    std::string index;
    std::string name;
    std::string command;
    std::string state;
  };
  /// The project's jobs, oldest first, as the registry has them. No network.
  virtual std::vector<Job> jobs(const Parsed& parsed, JobChoice choice) = 0;
  /// Paths on the host that begin with `prefix`, directories with a '/' at the end: what `re pull` would
  /// find.
  virtual std::vector<std::string> remote_paths(const Parsed& parsed, const std::string& prefix) = 0;
};

/// \param words what stands after `re`, up to the word that is being completed
Completion complete(const std::vector<std::string>& words, CompletionSource& source);
/// As `re __complete` prints it. Candidates with a control character are left out.
std::string render(const Completion& completion);

}  // namespace re::cli
