#include <boost/asio/awaitable.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands/all.hpp"
#include "cli/context.hpp"
#include "cli/json.hpp"
#include "re/config/writer.hpp"

namespace re::cli {

namespace {

// Passes questions on and keeps the last password that was typed, for --save-password.
class RememberingPrompter final : public transport::Prompter {
 public:
  explicit RememberingPrompter(transport::Prompter& inner) : m_inner(inner) {}
  sys::Secret secret(std::string_view prompt) override {
    sys::Secret typed = m_inner.secret(prompt);
    if (to_lower(prompt).find("password") != std::string::npos)
      m_password = std::make_shared<sys::Secret>(typed.clone());
    return typed;
  }
  std::string visible(std::string_view prompt) override { return m_inner.visible(prompt); }
  bool confirm(std::string_view question) override { return m_inner.confirm(question); }
  void banner(std::string_view text) override { m_inner.banner(text); }
  [[nodiscard]] bool can_ask() const override { return m_inner.can_ask(); }
  [[nodiscard]] std::shared_ptr<const sys::Secret> password() const { return m_password; }

 private:
  transport::Prompter& m_inner;
  std::shared_ptr<sys::Secret> m_password;
};

config::NewInstance read_instance(const Parsed& parsed) {
  const auto option = parsed.text("instance");
  if (option.has_value() == !parsed.arguments.empty()) {
    throw Error(ErrorKind::usage, "re sshadd takes one machine", "re sshadd user@host");
  }
  config::NewInstance instance;
  instance.destination = config::parse_destination(option ? *option : parsed.arguments.front());
  instance.name = parsed.text("name").value_or("");
  if (const auto identity = parsed.text("identity")) {
    instance.identity_files.push_back(std::filesystem::absolute(*identity));
    if (!std::filesystem::exists(instance.identity_files.front())) {
      throw Error(ErrorKind::not_found, "no key file " + instance.identity_files.front().string());
    }
  }
  return instance;
}

transport::Target to_target(const config::NewInstance& instance) {
  transport::Target target;
  target.host = instance.destination.host;
  target.user = instance.destination.username;
  target.port = instance.destination.port;
  target.name = target.user.empty() ? target.host : target.user + "@" + target.host;
  target.identity_files = instance.identity_files;
  return target;
}

// Logs in once, so that what is written is known to work. Returns how, for the user.
std::string try_login(Context& context, const config::NewInstance& instance, RememberingPrompter& prompter) {
  std::string how;
  const auto target = to_target(instance);
  const transport::ConnectContext connect{prompter, context.progress(), context.paths().state,
                                          context.paths().runtime};
  context.run([&]() -> Async<int> {
    context.progress().step("connecting to " + target.name);
    const auto connection = co_await transport::connect(target, connect);
    how = connection->info().transport;
    co_await connection->close();
    co_return 0;
  });
  return how;
}

}  // namespace

int run_sshadd(Context& context, const Parsed& parsed) {
  auto instance = read_instance(parsed);
  static_cast<void>(context.settings());  // a configuration with a mistake in it is not added to
  RememberingPrompter prompter(context.prompter());
  std::string how;
  if (!parsed.has("no-check")) how = try_login(context, instance, prompter);
  const bool typed = prompter.password() != nullptr;
  if (typed && parsed.has("save-password")) instance.password = prompter.password();
  const auto path = config::user_file(context.sources());
  const auto index = config::append_instance(path, context.paths(), instance);
  if (context.is_json()) {
    context.console().out(to_text({{"index", index}, {"file", path.string()}, {"transport", how}}));
    return 0;
  }
  context.console().out("added instance " + std::to_string(index) + " to " + path.string() + "\n");
  if (typed && !instance.password) {
    context.progress().note(
        "the password was not written down; it will be asked for (--save-password keeps it, a key is better: "
        "ssh-copy-id)");
  }
  return 0;
}

}  // namespace re::cli
