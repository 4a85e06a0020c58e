#include "cli/complete.hpp"

#include <algorithm>
#include <map>

#include "cli/parse.hpp"
#include "re/ui/text.hpp"

namespace re::cli {

namespace {

// The words before the one that is being completed, as parse_arguments() would take them.
struct Before {
  Parsed parsed;                   ///< the options
  const Option* awaits = nullptr;  ///< the last word is this option, and its value comes next
  bool only_arguments = false;     ///< "--" was seen
  bool in_remote_command = false;  ///< what follows belongs to the remote command
};

Before read_before(const Command* command, const std::vector<Option>& options,
                   const std::vector<std::string>& words) {
  Before before;
  for (const auto& word : words) {
    if (before.awaits != nullptr) {
      before.parsed.set(before.awaits->key(), word);
      before.awaits = nullptr;
    } else if (before.only_arguments || before.in_remote_command || word.size() < 2 || word[0] != '-') {
      const bool is_quoted = word.find_first_of(" \t\n") != std::string::npos;
      const bool is_first = before.parsed.arguments.empty();
      before.parsed.arguments.push_back(word);
      if (command != nullptr && command->arguments == Arguments::command && is_first && !is_quoted)
        before.in_remote_command = true;
    } else if (word == "--") {
      before.only_arguments = true;
    } else if (const auto* option = find_option(options, word)) {
      if (!option->takes_value()) {
        before.parsed.set(option->key(), "true");
      } else if (!has_attached_value(word)) {
        before.awaits = option;
      } else {
        const auto equals = word.find('=');
        before.parsed.set(option->key(), word.substr(word.starts_with("--") ? equals + 1 : 2));
      }
    }
  }
  return before;
}

class Completer {
 public:
  Completer(std::string current, Before before, CompletionSource& source)
      : m_current(std::move(current)), m_before(std::move(before)), m_source(source) {}

  Completion command_words() {
    for (const auto& command : commands()) add(std::string(command.name), std::string(command.summary));
    add("help", "Show the help, or that of a command");
    return take();
  }

  Completion option_value(const Option& option) {
    add_values(option.completer);
    return take();
  }

  Completion option_words(const std::vector<Option>& options) {
    for (const auto& option : options) {
      const bool is_there = m_before.parsed.has(option.key()) && option.repeats == Repeats::no;
      if (is_there || is_contradicted(option)) continue;
      for (const auto name : split(option.names, ',')) {
        // A short name is offered only to end it with a blank: nobody needs both in one list.
        if (name.size() > 2 || name == m_current) add(std::string(name), std::string(option.help));
      }
    }
    return take();
  }

  Completion argument(const Command& command) {
    const auto& given = m_before.parsed.arguments;
    if (m_before.in_remote_command) {
      m_completion.files = true;
    } else if (command.arguments == Arguments::command) {
      m_completion.files = m_completion.programs = given.empty();
    } else if (command.arguments == Arguments::many ||
               (command.arguments != Arguments::none && given.empty())) {
      if (command.argument_completer == "remote" && !given.empty()) {
        m_completion.files = true;
      } else if (command.argument_completer != "job-or-instance" || awaits_place()) {
        add_values(command.argument_completer);
      }
      std::erase_if(m_completion.candidates, [&](const Candidate& candidate) {
        return std::find(given.begin(), given.end(), candidate.text) != given.end();
      });
    }
    return take();
  }

  /// The value behind `prefix` ("--instance=") in the same word.
  Completion attached_value(const Option& option, const std::string& prefix) {
    m_prefix = prefix;
    return option_value(option);
  }

 private:
  Completion take() { return std::move(m_completion); }

  /// The first argument of `re forward` without -i; ports follow.
  [[nodiscard]] bool awaits_place() const {
    const auto& parsed = m_before.parsed;
    return parsed.arguments.empty() && !parsed.has("instance") && !parsed.has("instance-idx");
  }

  void add(const std::string& value, const std::string& description = {}) {
    std::string text = m_prefix + value;
    if (text.starts_with(m_current)) m_completion.candidates.push_back({std::move(text), description});
  }

  [[nodiscard]] bool is_contradicted(const Option& option) const {
    return (option.key() == "instance-idx" && m_before.parsed.has("instance")) ||
           (option.key() == "instance" && m_before.parsed.has("instance-idx"));
  }

  void add_values(std::string_view completer) {
    if (completer == "file") {
      m_completion.files = true;
    } else if (completer == "instance" || completer == "instances") {
      add_instances(completer == "instances");
    } else if (completer == "instance-index") {
      for (const auto& instance : m_source.instances(m_before.parsed))
        if (!instance.index.empty()) add(instance.index, label(instance));
    } else if (completer == "job" || completer == "live-job" || completer == "job-index") {
      add_jobs(completer);
    } else if (completer == "job-or-instance") {
      for (const auto& instance : m_source.instances(m_before.parsed))
        if (!instance.name.empty()) add(instance.name, instance.destination);
      add("local", "this machine");
      add_jobs("live-job");
    } else if (completer == "remote") {
      for (const auto& path : m_source.remote_paths(m_before.parsed, m_current)) add(path);
    } else if (!completer.empty()) {
      for (const auto choice : split(completer, '|')) add(std::string(choice));
    }
  }

  static std::string label(const CompletionSource::Instance& instance) {
    return instance.name.empty() ? instance.destination : instance.name + ", " + instance.destination;
  }

  void add_instances(bool with_several) {
    std::map<std::string, std::string> tags;  // with those that have them
    for (const auto& instance : m_source.instances(m_before.parsed)) {
      if (!instance.name.empty()) add(instance.name, instance.destination);
      if (!instance.index.empty()) add(instance.index, label(instance));
      for (const auto& tag : instance.tags) {
        const std::string& shown = instance.name.empty() ? instance.destination : instance.name;
        tags[tag] += (tags[tag].empty() ? "" : ", ") + shown;
      }
    }
    add("local", "this machine");
    if (!with_several) return;
    add("all", "every configured instance");
    for (const auto& [tag, instances] : tags) add(tag, instances);
  }

  void add_jobs(std::string_view completer) {
    const auto choice = completer == "live-job" ? JobChoice::live : JobChoice::all;
    const auto jobs = m_source.jobs(m_before.parsed, choice);
    for (const auto& job : jobs) add(job.index, job.name + ", " + job.state + ": " + job.command);
    if (completer == "job-index") return;
    std::vector<std::string> names;  // of several with one name the newest is meant
    for (auto job = jobs.rbegin(); job != jobs.rend(); ++job) {
      if (job->name.empty() || std::find(names.begin(), names.end(), job->name) != names.end()) continue;
      names.push_back(job->name);
      add(job->name, "job " + job->index + ", " + job->state + ": " + job->command);
    }
  }

  std::string m_current;
  Before m_before;
  CompletionSource& m_source;
  std::string m_prefix;
  Completion m_completion;
};

std::vector<Option> options_before_command(const std::vector<Option>& options) {
  std::vector<Option> before(common_options().begin(), common_options().end());
  before.push_back(*find_option(options, "--instance"));
  before.push_back({"--version", "", "show the version"});
  return before;
}

Completion complete_in(const Command* command, std::vector<std::string> words, CompletionSource& source) {
  const std::string current = std::move(words.back());
  words.pop_back();
  // Before the command there stand those that all have, and -i, which most have (find_command_word()).
  const Command& any = command != nullptr ? *command : *find_command("list");
  const std::vector<Option> options = all_options(any);
  const Before before = read_before(command, options, words);
  Completer completer(current, before, source);
  if (before.in_remote_command) return completer.argument(any);
  if (before.awaits != nullptr) return completer.option_value(*before.awaits);
  if (current.starts_with('-') && !before.only_arguments) {
    const auto* option = find_option(options, current);
    if (option == nullptr || !option->takes_value() || !has_attached_value(current))
      return completer.option_words(command != nullptr ? options : options_before_command(options));
    const std::size_t end = current.starts_with("--") ? current.find('=') + 1 : 2;
    return completer.attached_value(*option, current.substr(0, end));
  }
  return command != nullptr ? completer.argument(*command) : completer.command_words();
}

}  // namespace

Completion complete(const std::vector<std::string>& words, CompletionSource& source) {
  if (words.empty()) return {};
  if (words.size() == 2 && words[0] == "help") return Completer(words[1], {}, source).command_words();
  const std::vector<std::string> before(words.begin(), words.end() - 1);
  const std::size_t at = find_command_word(before);
  if (at >= before.size()) return complete_in(nullptr, words, source);
  const auto* command = find_command(before[at]);
  if (command == nullptr) return {};
  std::vector<std::string> rest = words;
  rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(at));
  return complete_in(command, std::move(rest), source);
}

std::string render(const Completion& completion) {
  constexpr std::size_t k_longest_description = 72;
  std::string text;
  for (const auto& candidate : completion.candidates) {
    if (candidate.text.empty() || ui::sanitise_line(candidate.text) != candidate.text) continue;
    text += candidate.text;
    if (!candidate.description.empty())
      text += "\t" + ui::fit(ui::sanitise_line(candidate.description), k_longest_description);
    text += "\n";
  }
  if (completion.files) text += "\tfiles\n";
  if (completion.programs) text += "\tprograms\n";
  return text;
}

}  // namespace re::cli
