#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/commands/all.hpp"
#include "cli/context.hpp"
#include "cli/json.hpp"
#include "re/config/writer.hpp"
#include "re/sys/file.hpp"

namespace re::cli {

int run_conf(Context& context, const Parsed& parsed) {
  const auto path = config::user_file(context.sources());
  const bool is_there = std::filesystem::exists(path);
  if (is_there && !parsed.has("force")) {
    throw Error(ErrorKind::conflict, path.string() + " exists",
                "use --force to overwrite it (it is kept as .bak)");
  }
  if (is_there) sys::write_file_atomic(path.string() + ".bak", sys::read_file(path));
  config::write_sample(path, is_there ? config::Overwrite::yes : config::Overwrite::no);
  if (context.is_json()) {
    context.console().out(to_text({{"file", path.string()}}));
  } else if (context.mode() == OutputMode::human) {
    context.console().out("wrote " + path.string() + "\nadd a machine with: re sshadd user@host\n");
  }
  return 0;
}

}  // namespace re::cli
