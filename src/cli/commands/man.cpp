#include <algorithm>
#include <array>

#include "cli/commands/all.hpp"
#include "cli/context.hpp"
#include "cli/manual.hpp"
#include "cli/mdoc_text.hpp"
#include "cli/pages.hpp"
#include "re/sys/child.hpp"
#include "re/sys/file.hpp"

namespace re::cli {

namespace {

struct Topic {
  std::string_view name;
  std::string_view file;  // as man programs like it
};
constexpr std::array k_topics = {Topic{"re", "re.1"}, Topic{"re.conf", "re.conf.5"}};

// A command's manual is in that of `re`.
const Topic& topic_of(const std::string& word) {
  for (const auto& topic : k_topics)
    if (word == topic.name || word == topic.file) return topic;
  if (find_command(word) != nullptr) return k_topics.front();
  std::vector<std::string> names;
  names.reserve(k_topics.size() + commands().size());
  for (const auto& topic : k_topics) names.emplace_back(topic.name);
  for (const auto& command : commands()) names.emplace_back(command.name);
  const std::string hint = suggestion(word, names);
  throw Error(ErrorKind::not_found, "there is no manual of " + word, hint.empty() ? "try re man" : hint);
}

std::string page_of(const Topic& topic) {
  return topic.name == "re" ? manual_page(pages::re_1) : std::string(pages::re_conf);
}

bool succeeds(const std::vector<std::string>& arguments) {
  if (!sys::find_program(arguments.front(), sys::process_environment())) return false;
  sys::SpawnOptions options;
  options.arguments = arguments;
  return sys::Child::spawn(options).wait().succeeded();
}

// With the reader's own programs, the best first; what a container has in the place of man fails.
bool show_on_terminal(const Topic& topic, const std::string& page) {
  const sys::TemporaryDirectory directory("re-man");
  const std::string file = directory.path() / topic.file;
  sys::write_file_atomic(file, page);
  if (succeeds({"man", "-l", file}) || succeeds({"mandoc", "-a", file})) return true;
  const std::string text = directory.path() / topic.name;
  sys::write_file_atomic(text, mdoc_to_text(page));
  const auto pager = sys::process_environment()("PAGER").value_or("less");
  return succeeds({"/bin/sh", "-c", pager + " \"$1\"", "sh", text});
}

}  // namespace

int run_man(Context& context, const Parsed& parsed) {
  const auto& topic = topic_of(parsed.arguments.empty() ? "re" : parsed.arguments.front());
  const std::string page = page_of(topic);
  const bool is_shown = context.console().out_sink() == ui::Sink::terminal && show_on_terminal(topic, page);
  if (!is_shown) context.console().out(mdoc_to_text(page));
  return 0;
}

}  // namespace re::cli
