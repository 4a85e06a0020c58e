#include <boost/asio/awaitable.hpp>

#include "cli/attached_job.hpp"
#include "cli/commands/all.hpp"
#include "cli/installation.hpp"
#include "re/ui/text.hpp"

namespace re::cli {

namespace {

constexpr std::chrono::seconds k_question_limit{20};

// "a b" as one word is recompute.py's list.
std::vector<std::string> packages_of(const Parsed& parsed) {
  if (parsed.arguments.size() != 1 || parsed.arguments.front().find(';') != std::string::npos)
    return parsed.arguments;
  std::vector<std::string> packages;
  for (const auto word : split_words(parsed.arguments.front())) packages.emplace_back(word);
  return packages;
}

bool is_done(Context& context, const engine::Place& where, const engine::InstallPlace& place,
             const engine::InstallPlan& plan) {
  bool done = false;
  context.run([&]() -> Async<int> {
    const auto host = co_await context.fleet().host(where);
    done = co_await engine::is_installed(*host, place, plan, k_question_limit);
    co_return 0;
  });
  return done;
}

}  // namespace

int install(Context& context, const Parsed& parsed, const engine::InstallPlan& plan) {
  auto submission = begin_submission(context, parsed, model::Streams::split, {context.place(parsed)});
  const auto& where = submission.places.front();
  const engine::InstallPlace place{submission.remotes.front().directory, where.python, submission.project.id};
  if (!plan.hash.empty() && !parsed.has("force") && is_done(context, where, place, plan)) {
    context.progress().note("the requirements are installed on " + where.label);
    return 0;
  }
  engine::write_requirements(submission.project, plan);
  submission.spec.name = "install";
  engine::set_install(submission.spec, plan, place);
  return run_attached(context, submission);
}

int run_install(Context& context, const Parsed& parsed) {
  const auto packages = packages_of(parsed);
  if (!packages.empty()) return install(context, parsed, engine::plan_packages(packages));
  const auto& project = context.require_project();
  const auto plan = engine::plan_install(project, project::collect_files(project.root));
  for (const auto& note : plan.notes) context.progress().note(ui::sanitise_line(note));
  if (plan.how == engine::InstallPlan::How::nothing) {
    context.progress().note("the project imports nothing that has to be installed");
    return 0;
  }
  return install(context, parsed, plan);
}

}  // namespace re::cli
