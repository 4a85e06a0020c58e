#include "cli/browser.hpp"

#include <vector>

#include "re/base/strings.hpp"
#include "re/sys/child.hpp"
#include "re/sys/file.hpp"
#include "re/sys/paths.hpp"

namespace re::cli {

namespace {

// What stands in HTML's attributes as it is.
std::string escape(const std::string& url) {
  return replace_all(replace_all(replace_all(url, "&", "&amp;"), "\"", "&quot;"), "<", "&lt;");
}

// $BROWSER names programs with colons between them; "%s" is where the URL goes, else it comes last.
std::vector<std::string> command_of(std::string_view program, const std::string& url) {
  std::vector<std::string> words;
  bool has_place = false;
  for (const auto word : split_words(program)) {
    has_place |= word.find("%s") != std::string_view::npos;
    words.push_back(replace_all(word, "%s", url));
  }
  if (!has_place) words.push_back(url);
  return words;
}

bool start(std::vector<std::string> words) {
  sys::SpawnOptions options;
  options.arguments = std::move(words);
  options.input = options.output = options.error = -1;
  options.session = sys::Session::own;
  try {
    sys::Child::spawn(options);
    return true;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
    return false;
  }
}

}  // namespace

BrowserVisit::BrowserVisit(Context& context, const std::filesystem::path& directory, const std::string& url)
    : m_file(directory / ("open-" + sys::random_hex(8) + ".html")) {
  sys::ensure_private_directory(directory);
  sys::write_file_atomic(m_file,
                         "<!DOCTYPE html>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"refresh\" "
                         "content=\"0; url=" +
                             escape(url) + "\">\n<title>re notebook</title>\n");
  const std::string chosen = sys::process_environment()("BROWSER").value_or("");
  std::vector<std::string_view> programs = split(chosen, ':');
  if (chosen.empty()) programs = {"xdg-open", "open"};
  for (const auto program : programs) {
    if (!trim(program).empty() && start(command_of(program, "file://" + m_file.string()))) return;
  }
  context.progress().note("no browser was found to open it with; set BROWSER");
}

BrowserVisit::~BrowserVisit() {
  std::error_code ignored;
  std::filesystem::remove(m_file, ignored);
}

}  // namespace re::cli
