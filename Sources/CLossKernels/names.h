// The names that our files share, as the linker sees them.
//
// A package's objects are linked straight into its users' programs, where hidden names still meet other hidden names: a
// function called `refuse` here would take the place of a user's own, or of the system's. In the code the short names
// stand. A check of the objects (Tests/Scripts/check-names.sh) fails when one is missing here.
#ifndef CLOSS_NAMES_H
#define CLOSS_NAMES_H

#define accepted                     closs_inner_accepted
#define binarization_gradient_pass   closs_inner_binarization_gradient_pass
#define binarization_totals_pass     closs_inner_binarization_totals_pass
#define call_ranges                  closs_inner_call_ranges
#define channel_walks_avx2           closs_inner_channel_walks_avx2
#define channel_walks_avx512         closs_inner_channel_walks_avx512
#define channel_walks_generic        closs_inner_channel_walks_generic
#define check_batch                  closs_inner_check_batch
#define check_coefficients           closs_inner_check_coefficients
#define check_disjoint               closs_inner_check_disjoint
#define check_divisor                closs_inner_check_divisor
#define check_finish_overlap         closs_inner_check_finish_overlap
#define check_number                 closs_inner_check_number
#define check_region                 closs_inner_check_region
#define check_result                 closs_inner_check_result
#define check_selection              closs_inner_check_selection
#define check_spec                   closs_inner_check_spec
#define check_totals                 closs_inner_check_totals
#define check_views                  closs_inner_check_views
#define check_weights                closs_inner_check_weights
#define combined_pass                closs_inner_combined_pass
#define diagnose                     closs_inner_diagnose
#define evaluation_check             closs_inner_evaluation_check
#define evaluation_coefficients      closs_inner_evaluation_coefficients
#define evaluation_finish            closs_inner_evaluation_finish
#define evaluation_prepare           closs_inner_evaluation_prepare
#define evaluation_write             closs_inner_evaluation_write
#define find_tie_ends                closs_inner_find_tie_ends
#define gradient_pass                closs_inner_gradient_pass
#define is_region                    closs_inner_is_region
#define kernels_avx2                 closs_inner_kernels_avx2
#define kernels_avx512               closs_inner_kernels_avx512
#define kernels_for                  closs_inner_kernels_for
#define kernels_generic              closs_inner_kernels_generic
#define loss_map_avx2                closs_inner_loss_map_avx2
#define loss_map_avx512              closs_inner_loss_map_avx512
#define loss_map_generic             closs_inner_loss_map_generic
#define loss_map_pass                closs_inner_loss_map_pass
#define needs_channels               closs_inner_needs_channels
#define overlap                      closs_inner_overlap
#define overlap_has                  closs_inner_overlap_has
#define parallel_threads             closs_inner_parallel_threads
#define part_run                     closs_inner_part_run
#define pointwise_add                closs_inner_pointwise_add
#define pointwise_add_known          closs_inner_pointwise_add_known
#define pointwise_coefficient        closs_inner_pointwise_coefficient
#define pointwise_divisors_known     closs_inner_pointwise_divisors_known
#define pointwise_finish             closs_inner_pointwise_finish
#define pointwise_loss_bound         closs_inner_pointwise_loss_bound
#define pointwise_map_bound          closs_inner_pointwise_map_bound
#define pointwise_map_factors        closs_inner_pointwise_map_factors
#define pointwise_parts_words        closs_inner_pointwise_parts_words
#define pointwise_sample_value       closs_inner_pointwise_sample_value
#define pointwise_totals_words       closs_inner_pointwise_totals_words
#define ranked_walks_avx2            closs_inner_ranked_walks_avx2
#define ranked_walks_avx512          closs_inner_ranked_walks_avx512
#define ranked_walks_generic         closs_inner_ranked_walks_generic
#define refuse                       closs_inner_refuse
#define region_add                   closs_inner_region_add
#define region_coefficients_words    closs_inner_region_coefficients_words
#define region_finish                closs_inner_region_finish
#define region_sample_value          closs_inner_region_sample_value
#define region_scaled_coefficients   closs_inner_region_scaled_coefficients
#define region_takes_part            closs_inner_region_takes_part
#define region_totals_words          closs_inner_region_totals_words
#define run_parallel                 closs_inner_run_parallel
#define run_sweep                    closs_inner_run_sweep
#define scratch_bytes                closs_inner_scratch_bytes
#define scratch_in                   closs_inner_scratch_in
#define scratch_selection_threads    closs_inner_scratch_selection_threads
#define selection_batch_pass         closs_inner_selection_batch_pass
#define selection_coefficients_words closs_inner_selection_coefficients_words
#define selection_counted_pass       closs_inner_selection_counted_pass
#define selection_finish             closs_inner_selection_finish
#define selection_likely_window      closs_inner_selection_likely_window
#define selection_name               closs_inner_selection_name
#define selection_needs_stage        closs_inner_selection_needs_stage
#define selection_pass               closs_inner_selection_pass
#define selection_resolve            closs_inner_selection_resolve
#define selection_sample_value       closs_inner_selection_sample_value
#define selection_samples_pass       closs_inner_selection_samples_pass
#define selection_set_losses         closs_inner_selection_set_losses
#define selection_set_threshold      closs_inner_selection_set_threshold
#define selection_stage_digit        closs_inner_selection_stage_digit
#define selection_stage_words        closs_inner_selection_stage_words
#define selection_taken              closs_inner_selection_taken
#define selection_totals_words       closs_inner_selection_totals_words
#define selection_wanted             closs_inner_selection_wanted
#define softmax_walks_avx2           closs_inner_softmax_walks_avx2
#define softmax_walks_avx512         closs_inner_softmax_walks_avx512
#define softmax_walks_generic        closs_inner_softmax_walks_generic
#define survey_pass                  closs_inner_survey_pass
#define threads_for                  closs_inner_threads_for
#define totals_pass                  closs_inner_totals_pass

#endif
