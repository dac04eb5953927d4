#include "command.h"

namespace dstore::cli {

const std::vector<Command>& command_table() {
  static const std::vector<Command> table = {
      init_command(),   import_command(), train_command(),  commit_command(), checkout_command(), export_command(), eval_command(), predict_command(), study_command(), sparsify_command(), merge_command(), rebase_command(),
      apply_command(),  unapply_command(), switch_command(),
      status_command(), log_command(),    query_command(),  show_command(),   diff_command(),     stats_command(), compare_command(), tasks_command(),
      branch_command(), tag_command(),    remote_command(), push_command(),   fetch_command(),    pull_command(),
      clone_command(),  bundle_command(), key_command(),    verify_command(), fsck_command(),   cat_command(),    reset_command(), du_command(),
      gc_command(),     repack_command(), forget_command(),
  };
  return table;
}

}  // namespace dstore::cli
